-- The landed lines that a wanted text names by the hash of their row.
-- grain: one row per wanted text and place
-- version: 1

select distinct
    wanted.id,
    lines.source_file,
    lines.line_offset
from raw.lines as lines
inner join run.wanted as wanted
    on lines.sig_hash = wanted.id
