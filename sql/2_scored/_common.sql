-- What every score carries along from its record. A stream's own model says `score`; where it can't, a human must.
-- grain: one row per record
-- version: 2

select
    records.source,
    records.run_id,
    records.task_id,
    records.occurred_at,
    records.source_file,
    records.line_offset,
    records.sig_hash,
    records.recorded_at,
    records.unreadable_fields,
    score('needs_human_review', ['no_verdict']) as score,
    cast(null as varchar) as scorer_version
from evidence.records as records
