-- What the ledger asks of a record: whose work it is, on which type of task, how long it took and what it cost.
-- The type of a task is its stream, but where rows of all types come in one stream and say it themselves.
-- A time or a cost below zero is a mistake of whoever measured it: not known.
-- grain: one row per record that names its model
-- version: 2

with named as (
    select
        source,
        source_file,
        line_offset,
        trimmed(model_name) as model_name,
        trimmed(model_provider) as model_provider,
        trimmed(subject) as subject,
        occurred_at,
        latency_ms,
        cost_usd
    from evidence.records
    where not is_blank(model_name)
)

select
    source_file,
    line_offset,
    model_name,
    filled(model_provider) as model_provider,
    case when source = 'model_trust' then coalesce(filled(subject), source) else source end as task_type,
    occurred_at,
    case when latency_ms >= 0 then latency_ms end as latency_ms,
    dollars(cost_usd) as cost_usd
from named
