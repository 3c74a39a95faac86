-- Every physical line of every file is landed, at its place and once; blank lines are counted, and nothing else is there.
-- grain: one row per line that is missing or too many, and one per file whose blank lines are miscounted
-- version: 1

with written as (
    select
        source,
        source_file,
        line_offset,
        1 as in_file,
        0 as landed
    from fixture.lines
    where expected not in ('blank', 'partial_tail')
),

both_sides as (
    select source, source_file, line_offset, in_file, landed from written
    union all
    select source, source_file, line_offset, 0 as in_file, 1 as landed from raw.lines
),

blanks as (
    select source, source_file, 1 as in_file, 0 as counted from fixture.lines where expected = 'blank'
    union all
    select source, source_file, 0 as in_file, blank_lines as counted from raw.files
)

select
    source,
    source_file,
    line_offset,
    sum(in_file) as in_file,
    sum(landed) as landed
from both_sides
group by
    source,
    source_file,
    line_offset
having
    sum(in_file) <> 1
    or sum(landed) <> 1

union all

select
    source,
    source_file,
    cast(null as bigint) as line_offset,
    sum(in_file) as in_file,
    sum(counted) as landed
from blanks
group by
    source,
    source_file
having sum(in_file) <> sum(counted)
