-- Of every record: is it judged, what speaks for its score, and which of its columns hold anything at all?
-- A column is there where it is not null, not blank and no empty list.
-- grain: one row per record
-- version: 2

select
    records.source as stream,
    runs.category <> 'needs_human_review' as is_judged,
    array_to_string(runs.reasons, ' ') like '%parent%' as is_judged_by_parents,
    runs.reasons,
    records.schema_version is not null as schema_version,
    not is_blank(records.source) as source,
    not is_blank(records.run_id) as run_id,
    not is_blank(records.task_id) as task_id,
    records.occurred_at is not null as occurred_at,
    not is_blank(records.subject) as subject,
    not is_blank(records.model_name) as model_name,
    not is_blank(records.model_provider) as model_provider,
    not is_blank(records.instruction) as instruction,
    not is_blank(records.content) as content,
    not is_blank(records.alternative_content) as alternative_content,
    not is_blank(records.alternative_run_id) as alternative_run_id,
    array_length(records.cited_paths) > 0 as cited_paths,
    not is_blank(records.verdict) as verdict,
    not is_blank(records.severity) as severity,
    records.attempts is not null as attempts,
    records.gap_signals is not null as gap_signals,
    records.events_ok is not null as events_ok,
    records.grounded_fraction is not null as grounded_fraction,
    array_length(records.success_markers) > 0 as success_markers,
    array_length(records.failure_markers) > 0 as failure_markers,
    records.latency_ms is not null as latency_ms,
    records.prompt_tokens is not null as prompt_tokens,
    records.completion_tokens is not null as completion_tokens,
    records.cost_usd is not null as cost_usd,
    array_length(records.unreadable_fields) > 0 as unreadable_fields,
    array_length(records.mistyped_fields) > 0 as mistyped_fields,
    not is_blank(records.source_file) as source_file,
    records.line_offset is not null as line_offset,
    not is_blank(records.sig_hash) as sig_hash,
    records.recorded_at is not null as recorded_at
from evidence.records as records
inner join scored.runs as runs
    on records.source_file = runs.source_file and records.line_offset = runs.line_offset
