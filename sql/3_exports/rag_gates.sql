-- The firewall of the retrieval corpus: for every scored record, the first gate that stops it, or null.
-- grain: one row per scored record
-- version: 1

with gated as (
    select
        candidates.source,
        candidates.run_id,
        candidates.task_id,
        candidates.occurred_at,
        candidates.category_rank,
        candidates.source_file,
        candidates.line_offset,
        candidates.sig_hash,
        candidates.unknown_path,
        candidates.conflict,
        candidates.rag_id as id,
        case
            when candidates.row_reason is not null then candidates.row_reason
            when candidates.category = 'rejected' then 'unsafe_rag_category'
            when candidates.category = 'needs_human_review' and not options.include_review then 'category_disallowed'
            when candidates.content_is_blank then 'empty_content'
            when candidates.unknown_path is not null then 'hallucinated_file_path'
            when candidates.conflict is not null then 'conflicting_verdict'
        end as reason
    from exports.candidates as candidates
    cross join run.options as options
),

numbered as (
    select
        *,
        row_number() over (
            partition by id, reason is null
            order by category_rank, occurred_at, source, sig_hash
        ) as rank_of_id
    from gated
)

select
    source,
    run_id,
    task_id,
    source_file,
    line_offset,
    sig_hash,
    id,
    case when reason is null and rank_of_id > 1 then 'duplicate_id' else reason end as reason,
    case
        when reason is null and rank_of_id > 1 then 'an earlier record has the same text: ' || id
        when reason = 'hallucinated_file_path' then 'not a known path: ' || unknown_path
        when reason = 'conflicting_verdict' then conflict
    end as detail
from numbered
