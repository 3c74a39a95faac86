-- The preference file holds the rows of its table, each once, sorted by id.
-- grain: one row per violation
-- version: 1
-- stage: export-preference

with file_rows as (
    select
        id,
        count(*) as copies
    from files.preference
    group by id
)

select
    table_rows.id as id_in_table,
    file_rows.id as id_in_file,
    file_rows.copies
from exports.preference as table_rows
full outer join file_rows
    on table_rows.id = file_rows.id
where
    table_rows.id is null
    or file_rows.id is null
    or file_rows.copies > 1
