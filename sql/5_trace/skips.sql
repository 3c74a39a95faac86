-- Why the lines at the traced places could not become evidence.
-- grain: one row per skipped line
-- version: 1

select
    skips.source_file,
    skips.line_offset,
    skips.line_sha256,
    skips.reason,
    skips.detail
from evidence.skips as skips
inner join run.places as places
    on
        skips.source_file = places.source_file
        and skips.line_offset = places.line_offset
