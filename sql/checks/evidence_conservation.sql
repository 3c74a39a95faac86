-- In every stream, each line that counts became a record or a skip, or repeats another line.
-- grain: one row per stream that does not add up
-- version: 1
-- stage: collect

with counted as (
    select source, 1 as lines, 0 as settled from evidence.lines
    union all
    select source, 0 as lines, 1 as settled from evidence.records
    union all
    select source, 0 as lines, 1 as settled from evidence.skips
    union all
    select source, 0 as lines, amount as settled from run.deduped
)

select
    source,
    sum(lines) as lines,
    sum(settled) as settled
from counted
group by source
having sum(lines) <> sum(settled)
