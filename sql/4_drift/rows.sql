-- Rows added, removed and changed between two versions of a table.
-- grain: one row in all
-- version: 1

select
    count(case when was.key is null then 1 end) as added,
    count(case when now.key is null then 1 end) as removed,
    count(case when was.digest <> now.digest then 1 end) as changed
from before.keyed as was
full outer join after.keyed as now
    on was.key = now.key
