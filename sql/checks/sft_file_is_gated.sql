-- Every row of the sft file comes from a scored record that this corpus may hold, under the switches of the run.
-- grain: one row per violation
-- version: 1
-- stage: export-sft

select
    file.id,
    file.quality_score as claimed_category,
    runs.category
from files.sft as file
cross join run.options as options
left join scored.runs as runs
    on
        runs.sig_hash = file.provenance.sig_hash
        and runs.source_file = file.provenance.source_file
        and runs.line_offset = file.provenance.line_offset
where
    runs.category is null
    or runs.category <> file.quality_score
    or is_blank(file.source_run_id)
    or is_blank(file.task_id)
    or file.created_at is null
    or runs.category not in ('accepted', 'partially_accepted')
    or (runs.category = 'partially_accepted' and not options.include_partial)
