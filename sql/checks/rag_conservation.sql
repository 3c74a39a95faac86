-- Every scored record was either exported to rag or is in its quarantine.
-- grain: one row if that does not add up
-- version: 1
-- stage: export-rag

with counted as (
    select 1 as scored, 0 as settled from scored.runs
    union all
    select 0 as scored, 1 as settled from exports.rag
    union all
    select 0 as scored, 1 as settled from exports.quarantine where export = 'rag'
)

select
    sum(scored) as scored,
    sum(settled) as settled
from counted
having sum(scored) <> sum(settled)
