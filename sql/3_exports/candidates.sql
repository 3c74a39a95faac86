-- What the gates ask of every scored record, without its texts: computed once, for all three exports.
-- grain: one row per scored record
-- version: 1

with unknown_paths as (
    select
        cited.source,
        cited.sig_hash,
        min(cited.path) as unknown_path
    from (select source, sig_hash, unnest(cited_paths) as path from evidence.records) as cited
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
    is_blank(records.content) as content_is_blank,
    is_blank(records.instruction) as instruction_is_blank,
    unknown_paths.unknown_path,
    case runs.category when 'accepted' then 1 when 'partially_accepted' then 2 else 3 end as category_rank,
    case
        when runs.category <> 'rejected' and not is_blank(records.content)
            then 'rag-' || substr(sha256(records.content), 1, 16)
    end as rag_id,
    case
        when
            runs.category in ('accepted', 'partially_accepted')
            and not is_blank(records.content)
            and not is_blank(records.instruction)
            then 'sft-' || substr(sha256(records.instruction || chr(31) || records.content), 1, 16)
    end as sft_id
from scored.runs as runs
left join evidence.records as records
    on
        runs.source = records.source
        and runs.sig_hash = records.sig_hash
left join unknown_paths
    on
        runs.source = unknown_paths.source
        and runs.sig_hash = unknown_paths.sig_hash
