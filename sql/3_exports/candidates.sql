-- What the gates ask of every scored record, without the texts themselves: one view for all three exports.
-- grain: one row per scored record
-- version: 2

with cited as (
    select
        source,
        sig_hash,
        unnest(cited_paths) as path
    from evidence.records
),

unknown_paths as (
    select
        cited.source,
        cited.sig_hash,
        min(cited.path) as unknown_path
    from cited
    cross join run.options as options
    left join run.known_paths as known_paths
        on cited.path = known_paths.path
    where
        options.known_paths_given
        and known_paths.path is null
    group by
        cited.source,
        cited.sig_hash
)

select
    runs.source,
    runs.run_id,
    runs.task_id,
    runs.occurred_at,
    runs.category,
    is_borrowed(runs.reasons) as is_borrowed,
    runs.source_file,
    runs.line_offset,
    runs.sig_hash,
    case
        when runs.sig_hash is null or runs.source_file is null or runs.line_offset is null then 'missing_provenance'
        when is_blank(runs.run_id) then 'missing_source_run_id'
        when
            is_blank(runs.task_id)
            or runs.occurred_at is null
            or coalesce(
                runs.category not in ('accepted', 'partially_accepted', 'rejected', 'needs_human_review'), true
            )
            then 'schema_violation'
    end as row_reason,
    coalesce(texts.content_is_blank, true) as content_is_blank,
    coalesce(texts.instruction_is_blank, true) as instruction_is_blank,
    unknown_paths.unknown_path,
    case runs.category when 'accepted' then 1 when 'partially_accepted' then 2 else 3 end as category_rank,
    texts.rag_id,
    texts.sft_id,
    texts.subject,
    texts.instruction_key,
    texts.content_key,
    conflicts.detail as conflict
from scored.runs as runs
left join exports.texts as texts
    on
        runs.source = texts.source
        and runs.sig_hash = texts.sig_hash
left join exports.conflicts as conflicts
    on
        texts.instruction_key = conflicts.instruction_key
        and texts.content_key = conflicts.content_key
left join unknown_paths
    on
        runs.source = unknown_paths.source
        and runs.sig_hash = unknown_paths.sig_hash
