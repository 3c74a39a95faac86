-- The lines that count: of streams that have a model, and of each file's newest generation.
-- grain: one row per landed line
-- version: 1

with newest as (
    select
        source_file,
        max(generation) as generation
    from raw.files
    group by source_file
)

select
    lines.source,
    lines.source_file,
    lines.line_offset,
    lines.status,
    lines.detail,
    coalesce(lines.meaning, lines.line) as line,
    lines.line_sha256,
    lines.sig_hash,
    lines.recorded_at
from raw.lines as lines
inner join newest
    on
        lines.source_file = newest.source_file
        and lines.generation = newest.generation
inner join run.streams as streams
    on lines.source = streams.source
