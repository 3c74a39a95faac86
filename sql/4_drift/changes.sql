-- The rows that differ between two versions of a table, and in which columns.
-- grain: one row per row that was added or removed, and per column of a row that changed
-- version: 1

with sides as (
    select
        coalesce(now.key, was.key) as key,
        case
            when was.key is null then 'added'
            when now.key is null then 'removed'
            else 'changed'
        end as kind,
        was.texts as texts_before,
        now.texts as texts_after
    from before.keyed as was
    full outer join after.keyed as now
        on was.key = now.key
    where was.key is null or now.key is null or was.digest <> now.digest
)

select
    sides.key,
    sides.kind,
    columns.name as column_name
from sides
left join run.columns as columns
    on sides.kind = 'changed' and sides.texts_before[columns.number] <> sides.texts_after[columns.number]
