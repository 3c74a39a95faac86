-- The two sides of a preference pair come from two runs.
-- grain: one row per pair of one run
-- version: 1

select
    file.id,
    file.chosen_run_id,
    file.rejected_run_id
from files.preference as file
left join evidence.records as chosen
    on
        file.provenance.source_file = chosen.source_file
        and file.provenance.line_offset = chosen.line_offset
left join evidence.records as rejected
    on
        file.rejected_provenance.source_file = rejected.source_file
        and file.rejected_provenance.line_offset = rejected.line_offset
where
    coalesce(file.chosen_run_id = file.rejected_run_id, true)
    or coalesce(chosen.run_id = rejected.run_id, true)
