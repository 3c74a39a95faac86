-- What a stream's model reads: the lines that are JSON objects, each object once. The model names a value as `field.x`.
-- grain: one row per distinct object of a stream
-- version: 2

select
    lines.source,
    lines.source_file,
    lines.line_offset,
    lines.sig_hash,
    lines.recorded_at,
    case when not is_giant(lines.line) then lines.line end as line,
    is_giant(lines.line) as is_giant
from evidence.lines as lines
left join evidence.duplicates as duplicates
    on
        lines.source_file = duplicates.source_file
        and lines.line_offset = duplicates.line_offset
where
    lines.status = 'object'
    and duplicates.source_file is null
