-- The scores of all streams in one shape. What can't be read is not nothing: where a field that a score hangs on is there and
-- can't be read, a human must look, unless the record is rejected without it.
-- grain: one row per record
-- version: 2

with settled as (
    select
        *,
        case
            when array_length(unreadable_fields) > 0 and score.category <> 'rejected'
                then score('needs_human_review', ['unreadable_verdict'])
            else score
        end as verdict
    from scored.judged
)

select
    cast(1 as integer) as schema_version,
    source,
    run_id,
    task_id,
    occurred_at,
    verdict.category as category,
    verdict.reasons as reasons,
    scorer_version,
    source_file,
    line_offset,
    sig_hash,
    recorded_at
from settled
