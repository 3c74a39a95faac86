-- What kind of stream each is, as its records show, and how much of it can be scored.
-- extraction: most records are worth what their parents are worth. verdict-bearing: most carry a verdict or are judged by their
-- own fields. telemetry-rich: most do not, but say how long they took, how many tokens, or what it cost.
-- grain: one row per stream
-- version: 1

with counted as (
    select
        stream,
        count(*) as records,
        count(case when is_judged then 1 end) as judged,
        count(case when is_judged_by_parents then 1 end) as by_parents,
        count(case when not is_judged_by_parents and (is_judged or verdict or severity) then 1 end) as by_own_fields,
        count(case when latency_ms or prompt_tokens or completion_tokens or cost_usd then 1 end) as measured
    from run.health_rows
    group by stream
)

select
    stream,
    records,
    case
        when 2 * by_parents > records then 'extraction'
        when 2 * by_own_fields > records then 'verdict-bearing'
        when 2 * measured > records then 'telemetry-rich'
        when by_parents > 0 then 'extraction'
        when by_own_fields > 0 then 'verdict-bearing'
        else 'none of these'
    end as class,
    judged,
    share(judged, records) as scoreable
from counted
order by stream
