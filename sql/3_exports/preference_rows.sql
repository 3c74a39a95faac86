-- The records of groups that have something to prefer: their row gate, and their place among the survivors. A group is what
-- one question was answered with in a task or, where the switches say so, the whole task.
-- grain: one row per record that takes part
-- version: 2

with grouped as (
    select
        gates.source,
        gates.run_id,
        gates.task_id,
        gates.occurred_at,
        gates.category,
        gates.source_file,
        gates.line_offset,
        gates.sig_hash,
        gates.reason,
        gates.detail,
        gates.instruction_key,
        gates.content_key,
        case when options.pairs = 'task' then '' else gates.instruction_key end as question
    from exports.preference_gates as gates
    cross join run.options as options
    where
        options.pairs = 'task'
        or not gates.instruction_is_blank
),

groups as (
    select
        task_id,
        question
    from grouped
    group by
        task_id,
        question
    having
        count(case when category = 'accepted' then 1 end) > 0
        and count(case when category in ('rejected', 'partially_accepted') then 1 end) > 0
)

select
    grouped.source,
    grouped.run_id,
    grouped.task_id,
    grouped.occurred_at,
    grouped.category,
    grouped.source_file,
    grouped.line_offset,
    grouped.sig_hash,
    grouped.reason,
    grouped.detail,
    grouped.instruction_key,
    grouped.content_key,
    grouped.question,
    row_number() over (
        partition by grouped.task_id, grouped.question, grouped.category, grouped.reason is null
        order by grouped.occurred_at, grouped.sig_hash, grouped.source
    ) as place
from grouped
inner join groups
    on
        grouped.task_id = groups.task_id
        and grouped.question = groups.question
