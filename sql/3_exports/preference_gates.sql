-- The row gates of preference: for every record that has a verdict of its own, the first gate that stops it, or null.
-- grain: one row per record that is neither left to a human nor judged by others' verdicts
-- version: 2

with gated as (
    select
        source,
        run_id,
        task_id,
        occurred_at,
        category,
        source_file,
        line_offset,
        sig_hash,
        subject,
        instruction_is_blank,
        instruction_key,
        content_key,
        unknown_path,
        conflict,
        case
            when row_reason is not null then row_reason
            when content_is_blank then 'empty_content'
            when category = 'accepted' and instruction_is_blank then 'empty_content'
            when unknown_path is not null then 'hallucinated_file_path'
            when conflict is not null then 'conflicting_verdict'
        end as reason
    from exports.candidates
    where
        category in ('accepted', 'rejected', 'partially_accepted')
        and not is_borrowed
)

select
    source,
    run_id,
    task_id,
    occurred_at,
    category,
    source_file,
    line_offset,
    sig_hash,
    subject,
    instruction_is_blank,
    instruction_key,
    content_key,
    reason,
    case
        when reason = 'hallucinated_file_path' then 'not a known path: ' || unknown_path
        when reason = 'conflicting_verdict' then conflict
    end as detail
from gated
