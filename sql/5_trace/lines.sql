-- The landed lines at the traced places, of every generation of their files; the newest generation is the one that counts.
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
    lines.generation,
    coalesce(lines.generation = newest.generation, false) as is_current,
    lines.line,
    lines.line_bytes,
    lines.status,
    lines.detail,
    lines.line_sha256,
    lines.sig_hash,
    lines.load_id,
    lines.recorded_at
from raw.lines as lines
inner join run.places as places
    on
        lines.source_file = places.source_file
        and lines.line_offset = places.line_offset
left join newest
    on lines.source_file = newest.source_file
