-- The records that say the same as the traced lines, in the same stream, but stand at another place.
-- grain: one row per traced line that repeats another
-- version: 1

select
    places.source_file,
    places.line_offset,
    records.source_file as first_source_file,
    records.line_offset as first_line_offset
from evidence.records as records
inner join run.places as places
    on
        records.source = places.source
        and records.sig_hash = places.sig_hash
where
    records.source_file <> places.source_file
    or records.line_offset <> places.line_offset
