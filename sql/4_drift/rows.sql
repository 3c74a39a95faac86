-- Rows added, removed and changed between two versions of a table.
-- grain: one row in all
-- version: 1

select
    count_if(was.key is null) as added,
    count_if(now.key is null) as removed,
    count_if(was.digest <> now.digest) as changed
from before.keyed as was
full outer join after.keyed as now
    on was.key = now.key
