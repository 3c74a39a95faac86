-- What a stream's model reads: the lines that are JSON objects, each object once. The model names a value as `field.x`.
-- grain: one row per distinct object of a stream
-- version: 1

select
    lines.source,
    lines.source_file,
    lines.line_offset,
    lines.sig_hash,
    lines.recorded_at,
    lines.line
from evidence.lines as lines
left join evidence.duplicates as duplicates
    on
        lines.source_file = duplicates.source_file
        and lines.line_offset = duplicates.line_offset
where
    lines.status = 'object'
    and duplicates.source_file is null
