-- Records about one subject, one stream's accepted beside another's rejected: who has a partner, and which place.
-- grain: one row per record with a partner
-- version: 1

with subjects as (
    select gates.subject
    from exports.preference_gates as gates
    cross join run.options as options
    where
        options.cross_stream
        and gates.reason is null
        and gates.subject is not null
        and gates.category in ('accepted', 'rejected')
    group by gates.subject
    having
        min(gates.category) <> max(gates.category)
        and min(gates.source) <> max(gates.source)
),

survivors as (
    select
        gates.source,
        gates.task_id,
        gates.occurred_at,
        gates.category,
        gates.sig_hash,
        gates.subject,
        gates.instruction_is_blank,
        gates.instruction_key
    from exports.preference_gates as gates
    inner join subjects
        on gates.subject = subjects.subject
    where
        gates.reason is null
        and gates.category in ('accepted', 'rejected')
),

partners as (
    select
        chosen.source as chosen_source,
        chosen.sig_hash as chosen_sig_hash,
        rejected.source as rejected_source,
        rejected.sig_hash as rejected_sig_hash
    from survivors as chosen
    inner join survivors as rejected
        on
            chosen.subject = rejected.subject
            and chosen.category = 'accepted'
            and rejected.category = 'rejected'
            and chosen.source <> rejected.source
            and chosen.task_id <> rejected.task_id
            and (rejected.instruction_is_blank or rejected.instruction_key = chosen.instruction_key)
    cross join run.options as options
    where within_days(chosen.occurred_at, rejected.occurred_at, options.cross_stream_days)
),

paired as (
    select
        chosen_source as source,
        chosen_sig_hash as sig_hash
    from partners

    union

    select
        rejected_source as source,
        rejected_sig_hash as sig_hash
    from partners
)

select
    survivors.source,
    survivors.task_id,
    survivors.occurred_at,
    survivors.category,
    survivors.sig_hash,
    survivors.subject,
    survivors.instruction_is_blank,
    survivors.instruction_key,
    row_number() over (
        partition by survivors.subject, survivors.category
        order by survivors.occurred_at, survivors.sig_hash, survivors.source
    ) as place
from survivors
inner join paired
    on
        survivors.source = paired.source
        and survivors.sig_hash = paired.sig_hash
