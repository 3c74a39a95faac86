-- Where the line itself tells its worth, the score says just that, and no human has to be asked.
-- grain: one row per score that is not the expected one
-- version: 1

select
    runs.source_file,
    runs.line_offset,
    lines.expected,
    runs.category as found,
    runs.reasons
from scored.runs as runs
inner join fixture.lines as lines
    on
        runs.source_file = lines.source_file
        and runs.line_offset = lines.line_offset
where
    lines.expected in ('accepted', 'partially_accepted', 'rejected')
    and coalesce(runs.category <> lines.expected, true)
