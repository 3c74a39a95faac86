-- Every row of the sft file comes from a scored record that this corpus may hold, under the switches of the run.
-- grain: one row per violation
-- version: 1
-- stage: export-sft

with disputed as (
    select
        texts.source,
        texts.sig_hash,
        conflicts.detail
    from exports.texts as texts
    inner join exports.conflicts as conflicts
        on
            texts.instruction_key = conflicts.instruction_key
            and texts.content_key = conflicts.content_key
)

select
    file.id,
    file.quality_score as claimed_category,
    runs.category,
    disputed.detail as conflict
from files.sft as file
cross join run.options as options
left join scored.runs as runs
    on
        runs.sig_hash = file.provenance.sig_hash
        and runs.source_file = file.provenance.source_file
        and runs.line_offset = file.provenance.line_offset
left join disputed
    on
        runs.source = disputed.source
        and runs.sig_hash = disputed.sig_hash
where
    runs.category is null
    or disputed.detail is not null
    or runs.category <> file.quality_score
    or is_blank(file.source_run_id)
    or is_blank(file.task_id)
    or file.created_at is null
    or runs.category not in ('accepted', 'partially_accepted')
    or (runs.category = 'partially_accepted' and not options.include_partial)
