-- How replays went, day by day and by the model that was asked first: what share passed, with its 95 % interval, and how often
-- the larger model had to be asked.
-- grain: one row per day and model
-- version: 1

with first_answers as (
    select
        replay_id,
        day(created_at) as day,
        model,
        verdict,
        latency_ms
    from replay.runs
    where attempt = 1
),

second_answers as (
    select
        replay_id,
        verdict
    from replay.runs
    where attempt = 2
),

replays as (
    select
        first_answers.day,
        first_answers.model,
        first_answers.latency_ms,
        first_answers.verdict = 'passed' as is_passed_at_once,
        second_answers.verdict is not null as is_escalated,
        first_answers.verdict = 'passed' or coalesce(second_answers.verdict = 'passed', false) as is_passed
    from first_answers
    left join second_answers
        on first_answers.replay_id = second_answers.replay_id
)

select
    day,
    model,
    count(*) as replays,
    count(case when is_passed_at_once then 1 end) as passed_at_once,
    count(case when is_escalated then 1 end) as escalated,
    count(case when is_passed then 1 end) as passed,
    share(count(case when is_passed then 1 end), count(*)) as pass_rate,
    wilson_low(count(case when is_passed then 1 end), count(*)) as pass_rate_low,
    wilson_high(count(case when is_passed then 1 end), count(*)) as pass_rate_high,
    share(count(case when is_escalated then 1 end), count(*)) as escalation_rate,
    quantile_of(latency_ms, 0.5) as latency_ms_p50
from replays
group by
    day,
    model
