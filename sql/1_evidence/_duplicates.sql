-- The object lines that repeat an earlier one of their stream: the first by file and line stays.
-- `evidence.known` holds the records of earlier runs; one of those here was overtaken by a line that stands before it.
-- grain: one row per repeated line
-- version: 1

with objects as (
    select
        source,
        sig_hash,
        source_file,
        line_offset,
        false as is_known
    from evidence.lines
    where status = 'object'

    union all

    select
        source,
        sig_hash,
        source_file,
        line_offset,
        true as is_known
    from evidence.known
),

repeated as (
    select
        source,
        sig_hash
    from objects
    group by
        source,
        sig_hash
    having count(*) > 1
),

numbered as (
    select
        objects.source,
        objects.sig_hash,
        objects.source_file,
        objects.line_offset,
        objects.is_known,
        row_number() over (
            partition by objects.source, objects.sig_hash
            order by objects.source_file, objects.line_offset
        ) as place
    from objects
    inner join repeated
        on
            objects.source = repeated.source
            and objects.sig_hash = repeated.sig_hash
)

select
    source,
    sig_hash,
    source_file,
    line_offset,
    is_known
from numbered
where place > 1
