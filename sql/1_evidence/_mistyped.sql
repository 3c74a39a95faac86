-- Values that were there and could not be read: how many records of a stream have one in a field, and FILE:N of the first.
-- grain: one row per stream and field
-- version: 1

with listed as (
    select
        source,
        source_file,
        line_offset,
        unnest(mistyped_fields) as field
    from evidence.records
    where array_length(mistyped_fields) > 0
),

numbered as (
    select
        source,
        source_file,
        line_offset,
        field,
        row_number() over (partition by source, field order by source_file, line_offset) as place
    from listed
),

counted as (
    select source, field, count(*) as records
    from listed
    group by source, field
)

select
    counted.source as stream,
    counted.field,
    counted.records,
    numbered.source_file || ':' || (numbered.line_offset + 1) as example
from counted
inner join numbered
    on
        counted.source = numbered.source
        and counted.field = numbered.field
where numbered.place = 1
order by
    stream,
    field
