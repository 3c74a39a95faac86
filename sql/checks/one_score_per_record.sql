-- The keys of the records and the keys of the scores are the same, each as often.
-- grain: one row if they are not
-- version: 1
-- stage: score

with records as (
    select count(*) as amount, sum(pair_hash(source, sig_hash)) as keys from evidence.records
),

runs as (
    select count(*) as amount, sum(pair_hash(source, sig_hash)) as keys from scored.runs
)

select
    records.amount as records,
    runs.amount as scores
from records
cross join runs
where
    records.amount <> runs.amount
    or records.keys <> runs.keys
