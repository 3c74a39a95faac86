-- Two fresh warehouses give every record the same category, for the same reasons, by the same version of the scorer.
-- grain: one row per record with two different scores, or with a score in one warehouse only
-- version: 1

with scores as (
    select source, sig_hash, category, array_to_string(reasons, ', ') as reasons, scorer_version, 1 as amount
    from scored.runs
    union all
    select source, sig_hash, category, array_to_string(reasons, ', ') as reasons, scorer_version, -1 as amount
    from fresh.runs
)

select
    source,
    sig_hash,
    category,
    reasons,
    scorer_version
from scores
group by
    source,
    sig_hash,
    category,
    reasons,
    scorer_version
having sum(amount) <> 0
