-- The scores of the tasks that preference decides again, with all of `scored.runs`: they are looked for in it once.
-- grain: one row per record
-- version: 1

select
    runs.schema_version,
    runs.source,
    runs.run_id,
    runs.task_id,
    runs.occurred_at,
    runs.category,
    runs.reasons,
    runs.scorer_version,
    runs.source_file,
    runs.line_offset,
    runs.sig_hash,
    runs.recorded_at
from scored.runs as runs
inner join run.tasks as tasks
    on text_hash(runs.task_id) = tasks.task
