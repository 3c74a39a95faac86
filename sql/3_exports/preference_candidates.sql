-- Every pair that could be made, in the order in which they are: within a task, across streams, settled by somebody.
-- grain: one row per candidate pair
-- version: 2

with considered as (
    select
        task_id,
        question,
        category,
        place,
        source,
        sig_hash,
        instruction_key,
        content_key
    from exports.preference_rows
    where
        reason is null
        and place <= 10
),

within_tasks as (
    select
        1 as section,
        chosen.task_id as unit,
        case rejected.category when 'rejected' then 1 else 2 end as kind,
        case rejected.category
            when 'rejected' then 'accepted_over_rejected'
            else 'accepted_over_partially_accepted'
        end as preference,
        chosen.place as chosen_place,
        rejected.place as rejected_place,
        chosen.task_id,
        chosen.source as chosen_source,
        chosen.sig_hash as chosen_sig_hash,
        rejected.source as rejected_source,
        rejected.sig_hash as rejected_sig_hash,
        chosen.instruction_key as prompt_key,
        chosen.content_key as chosen_key,
        rejected.content_key as rejected_key
    from considered as chosen
    inner join considered as rejected
        on
            chosen.task_id = rejected.task_id
            and chosen.question = rejected.question
            and chosen.category = 'accepted'
            and rejected.category in ('rejected', 'partially_accepted')
),

across_streams as (
    select
        2 as section,
        chosen.subject as unit,
        1 as kind,
        'cross_stream' as preference,
        chosen.place as chosen_place,
        rejected.place as rejected_place,
        chosen.task_id,
        chosen.source as chosen_source,
        chosen.sig_hash as chosen_sig_hash,
        rejected.source as rejected_source,
        rejected.sig_hash as rejected_sig_hash,
        chosen.instruction_key as prompt_key,
        chosen.content_key as chosen_key,
        rejected.content_key as rejected_key
    from exports.cross_stream_rows as chosen
    inner join exports.cross_stream_rows as rejected
        on
            chosen.subject = rejected.subject
            and chosen.category = 'accepted'
            and rejected.category = 'rejected'
            and chosen.source <> rejected.source
            and chosen.task_id <> rejected.task_id
    cross join run.options as options
    where
        (
            (not rejected.instruction_is_blank and rejected.instruction_key = chosen.instruction_key)
            or (rejected.instruction_is_blank and options.pairs = 'task')
        )
        and chosen.place <= 10
        and rejected.place <= 10
        and within_days(chosen.occurred_at, rejected.occurred_at, options.cross_stream_days)
),

settled as (
    select
        3 as section,
        '' as unit,
        1 as kind,
        'settled_discrepancy' as preference,
        place as chosen_place,
        place as rejected_place,
        task_id,
        source as chosen_source,
        sig_hash as chosen_sig_hash,
        source as rejected_source,
        sig_hash as rejected_sig_hash,
        cast(null as varchar) as prompt_key,
        cast(null as varchar) as chosen_key,
        cast(null as varchar) as rejected_key
    from exports.settled_rows
    where reason is null
)

select
    section,
    unit,
    kind,
    preference,
    chosen_place,
    rejected_place,
    task_id,
    chosen_source,
    chosen_sig_hash,
    rejected_source,
    rejected_sig_hash,
    prompt_key,
    chosen_key,
    rejected_key
from within_tasks

union all

select
    section,
    unit,
    kind,
    preference,
    chosen_place,
    rejected_place,
    task_id,
    chosen_source,
    chosen_sig_hash,
    rejected_source,
    rejected_sig_hash,
    prompt_key,
    chosen_key,
    rejected_key
from across_streams

union all

select
    section,
    unit,
    kind,
    preference,
    chosen_place,
    rejected_place,
    task_id,
    chosen_source,
    chosen_sig_hash,
    rejected_source,
    rejected_sig_hash,
    prompt_key,
    chosen_key,
    rejected_key
from settled
