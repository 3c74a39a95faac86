-- What every stream has in common. A stream's own model overrides the columns that it names.
-- grain: one row per object line of a stream
-- version: 2

select
    source,
    source_file,
    line_offset,
    sig_hash,
    recorded_at,
    is_giant,
    cast(null as varchar) as time_field,
    case
        when field.run_id is not null or has_key(line, 'run_id') then filled(text(field.run_id))
        else source || ':' || substr(sig_hash, 1, 16)
    end as run_id,
    filled(text(field.task_id)) as task_id,
    cast(null as varchar) as task_fallback,
    cast(null as varchar) as subject,
    text(field.model) as model_name,
    text(field.provider) as model_provider,
    cast(null as varchar) as instruction,
    cast(null as varchar) as content,
    cast(null as varchar) as alternative_content,
    cast(null as varchar) as alternative_run_id,
    coalesce(texts(field.cited_paths), cast([] as varchar[])) as cited_paths,
    cast(null as varchar) as verdict,
    cast(null as varchar) as severity,
    cast(null as bigint) as attempts,
    cast(null as bigint) as gap_signals,
    cast(null as boolean) as events_ok,
    cast(null as double) as grounded_fraction,
    cast([] as varchar[]) as success_markers,
    cast([] as varchar[]) as failure_markers,
    whole(field.latency_ms) as latency_ms,
    whole(field.prompt_tokens) as prompt_tokens,
    whole(field.completion_tokens) as completion_tokens,
    number(field.cost_usd) as cost_usd
from evidence.objects
