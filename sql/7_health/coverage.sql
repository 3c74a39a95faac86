-- How many records of a stream have a column, and which columns tell the judged from those that wait for a human:
-- empty in all that wait, full in all that are judged.
-- grain: one row per stream and column of evidence.records
-- version: 2

with counted as (
    select
        stream,
        is_judged,
        count(*) as records,
        count(case when schema_version then 1 end) as schema_version,
        count(case when source then 1 end) as source,
        count(case when run_id then 1 end) as run_id,
        count(case when task_id then 1 end) as task_id,
        count(case when occurred_at then 1 end) as occurred_at,
        count(case when subject then 1 end) as subject,
        count(case when model_name then 1 end) as model_name,
        count(case when model_provider then 1 end) as model_provider,
        count(case when instruction then 1 end) as instruction,
        count(case when content then 1 end) as content,
        count(case when alternative_content then 1 end) as alternative_content,
        count(case when alternative_run_id then 1 end) as alternative_run_id,
        count(case when cited_paths then 1 end) as cited_paths,
        count(case when verdict then 1 end) as verdict,
        count(case when severity then 1 end) as severity,
        count(case when attempts then 1 end) as attempts,
        count(case when gap_signals then 1 end) as gap_signals,
        count(case when events_ok then 1 end) as events_ok,
        count(case when grounded_fraction then 1 end) as grounded_fraction,
        count(case when success_markers then 1 end) as success_markers,
        count(case when failure_markers then 1 end) as failure_markers,
        count(case when latency_ms then 1 end) as latency_ms,
        count(case when prompt_tokens then 1 end) as prompt_tokens,
        count(case when completion_tokens then 1 end) as completion_tokens,
        count(case when cost_usd then 1 end) as cost_usd,
        count(case when unreadable_fields then 1 end) as unreadable_fields,
        count(case when mistyped_fields then 1 end) as mistyped_fields,
        count(case when source_file then 1 end) as source_file,
        count(case when line_offset then 1 end) as line_offset,
        count(case when sig_hash then 1 end) as sig_hash,
        count(case when recorded_at then 1 end) as recorded_at
    from run.health_rows
    group by stream, is_judged
),

listed as (
    select
        stream,
        is_judged,
        records,
        unnest([
            {'name': 'schema_version', 'filled': schema_version},
            {'name': 'source', 'filled': source},
            {'name': 'run_id', 'filled': run_id},
            {'name': 'task_id', 'filled': task_id},
            {'name': 'occurred_at', 'filled': occurred_at},
            {'name': 'subject', 'filled': subject},
            {'name': 'model_name', 'filled': model_name},
            {'name': 'model_provider', 'filled': model_provider},
            {'name': 'instruction', 'filled': instruction},
            {'name': 'content', 'filled': content},
            {'name': 'alternative_content', 'filled': alternative_content},
            {'name': 'alternative_run_id', 'filled': alternative_run_id},
            {'name': 'cited_paths', 'filled': cited_paths},
            {'name': 'verdict', 'filled': verdict},
            {'name': 'severity', 'filled': severity},
            {'name': 'attempts', 'filled': attempts},
            {'name': 'gap_signals', 'filled': gap_signals},
            {'name': 'events_ok', 'filled': events_ok},
            {'name': 'grounded_fraction', 'filled': grounded_fraction},
            {'name': 'success_markers', 'filled': success_markers},
            {'name': 'failure_markers', 'filled': failure_markers},
            {'name': 'latency_ms', 'filled': latency_ms},
            {'name': 'prompt_tokens', 'filled': prompt_tokens},
            {'name': 'completion_tokens', 'filled': completion_tokens},
            {'name': 'cost_usd', 'filled': cost_usd},
            {'name': 'unreadable_fields', 'filled': unreadable_fields},
            {'name': 'mistyped_fields', 'filled': mistyped_fields},
            {'name': 'source_file', 'filled': source_file},
            {'name': 'line_offset', 'filled': line_offset},
            {'name': 'sig_hash', 'filled': sig_hash},
            {'name': 'recorded_at', 'filled': recorded_at}
        ]) as cell
    from counted
),

summed as (
    select
        stream,
        cell.name as column_name,
        sum(records) as records,
        sum(cell.filled) as filled,
        sum(case when is_judged then records else 0 end) as judged,
        sum(case when is_judged then cell.filled else 0 end) as filled_of_judged
    from listed
    group by stream, cell.name
)

select
    stream,
    column_name,
    cast(records as bigint) as records,
    cast(filled as bigint) as filled,
    share(filled, records) as coverage,
    judged > 0 and judged < records and filled = judged and filled_of_judged = judged as tells_judged_from_waiting
from summed
