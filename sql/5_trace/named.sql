-- The records that a wanted text names, by the hash of their row or by their run.
-- grain: one row per wanted text and record
-- version: 1

select
    wanted.id,
    records.source,
    records.source_file,
    records.line_offset,
    records.sig_hash
from evidence.records as records
inner join run.wanted as wanted
    on records.sig_hash = wanted.id

union

select
    wanted.id,
    records.source,
    records.source_file,
    records.line_offset,
    records.sig_hash
from evidence.records as records
inner join run.wanted as wanted
    on records.run_id = wanted.id
