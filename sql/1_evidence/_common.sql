-- What every stream has in common. A stream's own model overrides the columns that it names.
-- `misread_*` name the fields whose value is there and can't be read; of `misread_judged` and `misread_paths` hangs the score.
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
        when field.run_id is not null or has_key(line, 'run_id') then filled(label(field.run_id))
        else source || ':' || substr(sig_hash, 1, 16)
    end as run_id,
    filled(label(field.task_id)) as task_id,
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
    number(field.cost_usd) as cost_usd,
    not_label('run_id', field.run_id) as misread_run_id,
    not_text('model', field.model) as misread_model,
    not_texts('cited_paths', field.cited_paths) as misread_paths,
    '' as misread_judged,
    '' as misread_more,
    not_label('task_id', field.task_id)
    || not_text('provider', field.provider)
    || not_whole('latency_ms', field.latency_ms)
    || not_whole('prompt_tokens', field.prompt_tokens)
    || not_whole('completion_tokens', field.completion_tokens)
    || not_number('cost_usd', field.cost_usd) as misread_common
from evidence.objects
