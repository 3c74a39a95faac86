-- The records of the ledger are the records that name a model, and every share lies within its interval, from 0 to 1.
-- grain: one row per violation
-- version: 1
-- stage: score

with named as (
    select count(*) as amount from evidence.records where not is_blank(model_name)
),

kept as (
    select coalesce(sum(records), 0) as amount from scored.model_ledger
),

shares as (
    select model_name, task_type, accepted_low as low, accepted_share as share, accepted_high as high
    from scored.model_ledger
    union all
    select model_name, task_type, partially_accepted_low, partially_accepted_share, partially_accepted_high
    from scored.model_ledger
    union all
    select model_name, task_type, rejected_low, rejected_share, rejected_high
    from scored.model_ledger
    union all
    select model_name, task_type, needs_human_review_low, needs_human_review_share, needs_human_review_high
    from scored.model_ledger
    union all
    select model_name, task_type, accepted_of_judged_low, accepted_of_judged, accepted_of_judged_high
    from scored.model_ledger
    where judged > 0
)

select
    'records that name a model: ' || named.amount || ', in the ledger: ' || kept.amount as finding
from named
cross join kept
where named.amount <> kept.amount
union all
select
    'no share within its interval: ' || model_name || ', ' || task_type as finding
from shares
where not coalesce(0 <= low and low <= share and share <= high and high <= 1, false)
