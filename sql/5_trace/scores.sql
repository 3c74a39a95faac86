-- The scores of the records that stand at the traced places.
-- grain: one row per scored record
-- version: 1

select
    runs.source,
    runs.run_id,
    runs.task_id,
    runs.occurred_at,
    runs.category,
    runs.reasons,
    runs.scorer_version,
    runs.source_file,
    runs.line_offset,
    runs.sig_hash
from scored.runs as runs
inner join run.places as places
    on
        runs.source_file = places.source_file
        and runs.line_offset = places.line_offset
