-- Every count of this run beside the run before: how far it moved, and whether that is worth a look.
-- A first error or a first quarantine reason always is.
-- grain: one row per metric
-- version: 1

with compared as (
    select
        coalesce(now.metric, was.metric) as metric,
        was.amount as before,
        now.amount as after,
        case
            when was.amount > 0 then 100.0 * (coalesce(now.amount, 0) - was.amount) / was.amount
        end as pct_change
    from after.metrics as now
    full outer join before.metrics as was
        on now.metric = was.metric
)

select
    compared.metric,
    compared.before,
    compared.after,
    compared.pct_change,
    case
        when not options.has_previous then 'ok'
        when abs(compared.pct_change) > options.drift_threshold then 'warn'
        when
            coalesce(compared.before, 0) = 0
            and compared.after > 0
            and (compared.metric like '%/reason/%' or compared.metric like '%/errors')
            then 'warn'
        else 'ok'
    end as level
from compared
cross join run.drift_options as options
order by compared.metric
