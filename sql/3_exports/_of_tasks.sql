-- The records of the tasks that preference decides again.
-- grain: one row per record
-- version: 1

select
    runs.source,
    runs.sig_hash,
    runs.task_id
from scored.runs as runs
inner join run.tasks as tasks
    on text_hash(runs.task_id) = tasks.task
