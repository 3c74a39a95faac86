-- The two sides of a preference pair belong to one task, and no task has more than five pairs, though one could have.
-- grain: one row per pair across tasks, per task with too many pairs, and one if no task has as many as it may
-- version: 1

with pairs as (
    select
        file.id,
        file.task_id,
        coalesce(chosen.task_id = file.task_id and rejected.task_id = file.task_id, false) as is_of_one_task
    from files.preference as file
    left join evidence.records as chosen
        on
            file.provenance.source_file = chosen.source_file
            and file.provenance.line_offset = chosen.line_offset
    left join evidence.records as rejected
        on
            file.rejected_provenance.source_file = rejected.source_file
            and file.rejected_provenance.line_offset = rejected.line_offset
),

tasks as (
    select task_id, count(*) as amount
    from pairs
    group by task_id
)

select
    task_id,
    'across tasks: ' || id as finding
from pairs
where not is_of_one_task

union all

select
    task_id,
    'too many pairs: ' || amount as finding
from tasks
where amount > 5

union all

select
    cast(null as varchar) as task_id,
    'no task has as many pairs as it may' as finding
from tasks
having coalesce(max(amount), 0) < 5
