-- A score is one of the four categories and says why.
-- grain: one row per violation
-- version: 1
-- stage: score

select
    source,
    sig_hash,
    category,
    reasons
from scored.runs
where
    coalesce(category not in ('accepted', 'partially_accepted', 'rejected', 'needs_human_review'), true)
    or coalesce(array_length(reasons), 0) = 0
