-- Who does a type of task best? The lower end of the interval of accepted among judged decides, then the price.
-- The lower end is what the evidence vouches for: three of three accepted rank below ninety of a hundred.
-- Two models are told apart only where their intervals do not overlap; one with too few verdicts is told apart from none.
-- grain: one row per model and type of task
-- version: 1

with weighed as (
    select
        *,
        coalesce(1 - accepted_of_judged_low, 2) as doubt,
        coalesce(cost_usd_per_accepted, 1000000000) as price
    from scored.model_ledger
),

ranked as (
    select
        *,
        row_number() over (partition by task_type order by doubt, price, model_name) as place
    from weighed
),

known as (
    select ranked.task_type, min(ranked.place) as place
    from ranked
    cross join run.asked as asked
    where ranked.judged >= asked.min_records
    group by ranked.task_type
)

select
    ranked.task_type,
    ranked.place,
    ranked.model_name,
    ranked.model_provider,
    case
        when ranked.judged = 0 then 'not judged'
        when ranked.judged < asked.min_records then 'too few verdicts'
        when ranked.place = known.place then 'first'
        when ranked.accepted_of_judged_high >= first.accepted_of_judged_low then 'may be as good'
        else 'behind'
    end as standing,
    ranked.records,
    ranked.judged,
    ranked.accepted,
    ranked.accepted_of_judged,
    ranked.accepted_of_judged_low,
    ranked.accepted_of_judged_high,
    ranked.needs_human_review,
    ranked.latency_ms_p50,
    ranked.latency_ms_p90,
    ranked.cost_usd_per_accepted,
    ranked.cost_usd_total,
    ranked.first_seen_at,
    ranked.last_seen_at
from ranked
left join known
    on ranked.task_type = known.task_type
left join ranked as first
    on known.task_type = first.task_type and known.place = first.place
cross join run.asked as asked
order by ranked.task_type, ranked.place
