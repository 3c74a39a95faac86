-- The records of the tasks that preference decides again.
-- grain: one row per record
-- version: 1

select keys.record
from exports.keys as keys
inner join run.tasks as tasks
    on keys.task = tasks.task
