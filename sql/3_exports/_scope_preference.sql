-- The records that preference has to decide again: all of the tasks that it decides again.
-- grain: one row per record
-- version: 1

select
    near.source,
    near.sig_hash,
    near.task_id
from run.near as near
inner join run.tasks as tasks
    on text_hash(near.task_id) = tasks.task
