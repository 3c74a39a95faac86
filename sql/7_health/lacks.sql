-- What keeps the records of a stream from a score, in words.
-- grain: one row per stream and reason
-- version: 1

with waiting as (
    select stream, unnest(reasons) as reason
    from run.health_rows
    where not is_judged
),

totals as (
    select stream, count(*) as records
    from run.health_rows
    group by stream
),

counted as (
    select waiting.stream, waiting.reason, totals.records, count(*) as waiting
    from waiting
    inner join totals
        on waiting.stream = totals.stream
    group by waiting.stream, waiting.reason, totals.records
)

select
    stream,
    reason,
    waiting,
    in_words(reason) || ' in ' || waiting || ' of ' || records || ' rows'
    || case when reason = 'no_parent_verdict' then ': their tasks have no reviewed record' else '' end as says
from counted
order by stream, reason
