-- Every pair of the preference file is of one task, of two runs and two texts, and only its chosen side was accepted.
-- grain: one row per violation
-- version: 1
-- stage: export-preference

select
    file.id,
    chosen.category as chosen_category,
    rejected.category as rejected_category
from files.preference as file
left join scored.runs as chosen
    on
        chosen.sig_hash = file.provenance.sig_hash
        and chosen.source_file = file.provenance.source_file
        and chosen.line_offset = file.provenance.line_offset
left join scored.runs as rejected
    on
        rejected.sig_hash = file.rejected_provenance.sig_hash
        and rejected.source_file = file.rejected_provenance.source_file
        and rejected.line_offset = file.rejected_provenance.line_offset
where
    coalesce(chosen.category <> 'accepted', true)
    or coalesce(rejected.category not in ('rejected', 'partially_accepted'), true)
    or coalesce(file.reason <> 'accepted_over_' || rejected.category, true)
    or coalesce(chosen.task_id <> rejected.task_id, true)
    or coalesce(chosen.run_id = rejected.run_id, true)
    or file.created_at is null
