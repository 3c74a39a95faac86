-- Both sides of every new pair are worth what its reason says by what the models that score say of them, whatever
-- scored.runs says. Pairs that were copied were held against this when they were new.
-- grain: one row per violation
-- version: 1
-- stage: export-preference

with lines as (
    select
        id,
        reason,
        place_hash(provenance.source_file, provenance.line_offset, provenance.sig_hash) as chosen_place,
        place_hash(
            rejected_provenance.source_file, rejected_provenance.line_offset, rejected_provenance.sig_hash
        ) as rejected_place
    from files.preference_new
)

select
    lines.id,
    lines.reason,
    chosen.category as chosen_category,
    rejected.category as rejected_category
from lines
left join run.judged as chosen
    on lines.chosen_place = chosen.place
left join run.judged as rejected
    on lines.rejected_place = rejected.place
where
    coalesce(chosen.category <> 'accepted', true)
    or not coalesce(
        case lines.reason
            when 'accepted_over_partially_accepted' then rejected.category = 'partially_accepted'
            when 'settled_discrepancy' then lines.chosen_place = lines.rejected_place
            else rejected.category = 'rejected'
        end,
        false
    )
