-- Records about one subject, one stream's accepted beside another's rejected: who has a partner, and which place.
-- Partners are counted, not written out: of the others near in time, those of the own stream and those of the own task are taken
-- off, and those of both, taken off twice, put back.
-- grain: one row per record with a partner
-- version: 2

with survivors as (
    select
        gates.source,
        gates.task_id,
        gates.occurred_at,
        gates.category,
        gates.sig_hash,
        gates.subject,
        gates.instruction_is_blank,
        gates.instruction_key,
        gates.content_key,
        options.pairs = 'task' as takes_blank,
        microseconds(gates.occurred_at) as moment,
        options.cross_stream_days * 86400000000 as reach
    from exports.preference_gates as gates
    cross join run.options as options
    where
        options.cross_stream
        and gates.reason is null
        and gates.subject is not null
        and gates.category in ('accepted', 'rejected')
),

seats as (
    select
        *,
        instruction_key as question
    from survivors
    where not instruction_is_blank

    union all

    select
        *,
        '' as question
    from survivors
    where
        takes_blank
        and (category = 'accepted' or instruction_is_blank)
),

shared as (
    select
        subject,
        question
    from seats
    group by
        subject,
        question
    having
        min(category) <> max(category)
        and min(source) <> max(source)
        and min(task_id) <> max(task_id)
),

seated as (
    select
        seats.subject,
        seats.question,
        seats.source,
        seats.task_id,
        seats.sig_hash,
        seats.category,
        case seats.category when 'accepted' then 'rejected' else 'accepted' end as other_category,
        seats.moment,
        seats.reach
    from seats
    inner join shared
        on
            seats.subject = shared.subject
            and seats.question = shared.question
),

edges as (
    select subject, question, source, task_id, sig_hash, category as counted, moment, 1 as edge from seated
    union all
    select subject, question, source, task_id, sig_hash, other_category as counted, moment - reach as moment, 0 as edge from seated
    union all
    select subject, question, source, task_id, sig_hash, other_category as counted, moment + reach as moment, 2 as edge from seated
),

counts as (
    select
        question,
        source,
        sig_hash,
        edge,
        count(case edge when 1 then 1 end) over (
            partition by subject, question, counted
            order by moment, edge, source, sig_hash
        )
        - count(case edge when 1 then 1 end) over (
            partition by subject, question, counted, source
            order by moment, edge, source, sig_hash
        )
        - count(case edge when 1 then 1 end) over (
            partition by subject, question, counted, task_id
            order by moment, edge, source, sig_hash
        )
        + count(case edge when 1 then 1 end) over (
            partition by subject, question, counted, source, task_id
            order by moment, edge, source, sig_hash
        ) as partners
    from edges
),

met as (
    select
        source,
        sig_hash
    from counts
    group by
        question,
        source,
        sig_hash
    having sum(case edge when 0 then -partners when 2 then partners end) > 0
),

paired as (
    select distinct
        source,
        sig_hash
    from met
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
    survivors.content_key,
    row_number() over (
        partition by survivors.subject, survivors.category
        order by survivors.occurred_at, survivors.sig_hash, survivors.source
    ) as place
from survivors
inner join paired
    on
        survivors.source = paired.source
        and survivors.sig_hash = paired.sig_hash
