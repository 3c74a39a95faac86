-- What each model is worth on each type of task: how its records were judged, how long they took, what they cost.
-- `judged` leaves out what waits for a human: nobody has said yet whether that is good.
-- The cost per accepted record is worked out over records whose cost is known: theirs, by those of them that were accepted.
-- grain: one row per model and type of task
-- version: 1

with judged as (
    select
        calls.model_name,
        calls.task_type,
        calls.model_provider,
        calls.occurred_at,
        calls.latency_ms,
        calls.cost_usd,
        runs.category
    from run.calls as calls
    inner join scored.runs as runs
        on calls.source_file = runs.source_file and calls.line_offset = runs.line_offset
),

counted as (
    select
        model_name,
        task_type,
        case when min(model_provider) = max(model_provider) then min(model_provider) end as model_provider,
        count(distinct model_provider) as providers,
        count(*) as records,
        count(case when category <> 'needs_human_review' then 1 end) as judged,
        count(case when category = 'accepted' then 1 end) as accepted,
        count(case when category = 'partially_accepted' then 1 end) as partially_accepted,
        count(case when category = 'rejected' then 1 end) as rejected,
        count(case when category = 'needs_human_review' then 1 end) as needs_human_review,
        count(latency_ms) as latency_records,
        quantile_of(latency_ms, [0.5, 0.9, 0.99]) as latency_ms_quantiles,
        count(cost_usd) as cost_records,
        quantile_of(cost_usd, [0.5, 0.9, 0.99]) as cost_usd_quantiles,
        sum(cost_usd) as cost_usd_total,
        count(case when category = 'accepted' then cost_usd end) as accepted_at_known_cost,
        min(occurred_at) as first_seen_at,
        max(occurred_at) as last_seen_at
    from judged
    group by model_name, task_type
)

select
    model_name,
    task_type,
    model_provider,
    providers,
    records,
    judged,
    share(accepted, judged) as accepted_of_judged,
    wilson_low(accepted, judged) as accepted_of_judged_low,
    wilson_high(accepted, judged) as accepted_of_judged_high,
    accepted,
    share(accepted, records) as accepted_share,
    wilson_low(accepted, records) as accepted_low,
    wilson_high(accepted, records) as accepted_high,
    partially_accepted,
    share(partially_accepted, records) as partially_accepted_share,
    wilson_low(partially_accepted, records) as partially_accepted_low,
    wilson_high(partially_accepted, records) as partially_accepted_high,
    rejected,
    share(rejected, records) as rejected_share,
    wilson_low(rejected, records) as rejected_low,
    wilson_high(rejected, records) as rejected_high,
    needs_human_review,
    share(needs_human_review, records) as needs_human_review_share,
    wilson_low(needs_human_review, records) as needs_human_review_low,
    wilson_high(needs_human_review, records) as needs_human_review_high,
    latency_records,
    rounded(latency_ms_quantiles[1], 3) as latency_ms_p50,
    rounded(latency_ms_quantiles[2], 3) as latency_ms_p90,
    rounded(latency_ms_quantiles[3], 3) as latency_ms_p99,
    cost_records,
    rounded(cost_usd_quantiles[1], 9) as cost_usd_p50,
    rounded(cost_usd_quantiles[2], 9) as cost_usd_p90,
    rounded(cost_usd_quantiles[3], 9) as cost_usd_p99,
    rounded(cost_usd_total, 9) as cost_usd_total,
    rounded(rounded(cost_usd_total, 9) / nullif(accepted_at_known_cost, 0), 9) as cost_usd_per_accepted,
    first_seen_at,
    last_seen_at
from counted
