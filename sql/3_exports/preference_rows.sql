-- The records of tasks that have something to prefer: their row gate, and their place among the survivors.
-- grain: one row per record that takes part
-- version: 1

with tasks as (
    select task_id
    from exports.candidates
    group by task_id
    having
        count(case when category = 'accepted' then 1 end) > 0
        and count(case when category in ('rejected', 'partially_accepted') then 1 end) > 0
),

gated as (
    select
        candidates.source,
        candidates.run_id,
        candidates.task_id,
        candidates.occurred_at,
        candidates.category,
        candidates.source_file,
        candidates.line_offset,
        candidates.sig_hash,
        candidates.unknown_path,
        case
            when candidates.row_reason is not null then candidates.row_reason
            when candidates.content_is_blank then 'empty_content'
            when candidates.category = 'accepted' and candidates.instruction_is_blank then 'empty_content'
            when candidates.unknown_path is not null then 'hallucinated_file_path'
        end as reason
    from exports.candidates as candidates
    inner join tasks
        on candidates.task_id = tasks.task_id
    where candidates.category in ('accepted', 'rejected', 'partially_accepted')
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
    reason,
    case when reason = 'hallucinated_file_path' then 'not a known path: ' || unknown_path end as detail,
    row_number() over (
        partition by task_id, category, reason is null
        order by occurred_at, sig_hash, source
    ) as place
from gated
