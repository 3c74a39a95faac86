-- Settles time and task of every candidate, or the reason why it can't be evidence.
-- grain: one row per candidate
-- version: 2

with candidates as (
    select
        *,
        utc(time_field) as occurred_at,
        coalesce(task_id, task_fallback, run_id) as settled_task_id
    from evidence.candidates
)

select
    cast(1 as integer) as schema_version,
    source,
    run_id,
    settled_task_id as task_id,
    occurred_at,
    subject,
    model_name,
    model_provider,
    instruction,
    content,
    alternative_content,
    alternative_run_id,
    cited_paths,
    verdict,
    severity,
    attempts,
    gap_signals,
    events_ok,
    grounded_fraction,
    success_markers,
    failure_markers,
    latency_ms,
    prompt_tokens,
    completion_tokens,
    cost_usd,
    fields_in(misread_judged || misread_paths) as unreadable_fields,
    fields_in(
        misread_judged || misread_paths || misread_more || misread_common || misread_run_id || misread_model
    ) as mistyped_fields,
    source_file,
    line_offset,
    sig_hash,
    recorded_at,
    case
        when is_giant then 'too_long'
        when time_field is null then 'missing_timestamp'
        when occurred_at is null then 'invalid_timestamp'
        when settled_task_id is null then 'schema_violation'
    end as skip_reason,
    case
        when is_giant then 'longer than 64 MiB, and landed whole by an older release'
        when time_field is null then 'the time field is absent or null'
        when occurred_at is null then 'not a time: ' || substr(time_field, 1, 100)
        when settled_task_id is null then 'no task_id, no fallback and no run_id'
    end as skip_detail
from candidates
