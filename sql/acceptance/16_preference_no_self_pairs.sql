-- The two sides of a preference pair come from two runs; where one record holds both, its other answer has a run of its own.
-- grain: one row per pair of one run
-- version: 1

with pairs as (
    select
        file.id,
        file.chosen_run_id,
        file.rejected_run_id,
        chosen.run_id as chosen_run,
        case file.reason when 'settled_discrepancy' then rejected.alternative_run_id else rejected.run_id end as rejected_run
    from files.preference as file
    left join evidence.records as chosen
        on
            file.provenance.source_file = chosen.source_file
            and file.provenance.line_offset = chosen.line_offset
    left join evidence.records as rejected
        on
            file.rejected_provenance.source_file = rejected.source_file
            and file.rejected_provenance.line_offset = rejected.line_offset
)

select
    id,
    chosen_run_id,
    rejected_run_id
from pairs
where
    coalesce(chosen_run_id = rejected_run_id, true)
    or coalesce(chosen_run = rejected_run, true)
