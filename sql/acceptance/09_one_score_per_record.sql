-- Every record has exactly one score, and every score a record.
-- grain: one row per record with no score or several, or score without a record
-- version: 1

with sides as (
    select source, sig_hash, 1 as records, 0 as scores from evidence.records
    union all
    select source, sig_hash, 0 as records, 1 as scores from scored.runs
)

select
    source,
    sig_hash,
    sum(records) as records,
    sum(scores) as scores
from sides
group by
    source,
    sig_hash
having
    sum(records) <> 1
    or sum(scores) <> 1
