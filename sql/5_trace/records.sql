-- The records that stand at the traced places.
-- grain: one row per record
-- version: 1

select
    records.source,
    records.run_id,
    records.task_id,
    records.occurred_at,
    coalesce(records.subject, records.task_id) as title,
    records.instruction,
    records.content,
    records.source_file,
    records.line_offset,
    records.sig_hash,
    records.recorded_at
from evidence.records as records
inner join run.places as places
    on
        records.source_file = places.source_file
        and records.line_offset = places.line_offset
