-- Scores that lost something on their way, planted to see whether the gates notice: a place, a task.
-- grain: one row per record
-- version: 1000

select * replace (
    case when run_id = 'run-lost-place' then null else source_file end as source_file,
    case when run_id = 'run-lost-task' then '' else task_id end as task_id
)
from {model}
