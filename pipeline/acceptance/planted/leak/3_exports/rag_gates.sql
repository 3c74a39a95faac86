-- A firewall with a hole, planted to see whether what stands behind it holds: what was rejected passes.
-- grain: one row per scored record
-- version: 1000

select * replace (case when reason <> 'unsafe_rag_category' or id is null then reason end as reason)
from {model}
