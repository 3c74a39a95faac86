-- The scores of all streams in one shape.
-- grain: one row per record
-- version: 1

select
    cast(1 as integer) as schema_version,
    source,
    run_id,
    task_id,
    occurred_at,
    score.category as category,
    score.reasons as reasons,
    scorer_version,
    source_file,
    line_offset,
    sig_hash,
    recorded_at
from scored.judged
