-- Without --include-partial every line of the sft file comes from an accepted record, and says so.
-- grain: one row per line that does not, and one if there is no line at all
-- version: 1

with exported as (
    select id, quality_score, provenance, 'no switch' as switches from files.sft
    union all
    select id, quality_score, provenance, 'include_review' as switches from review.sft
)

select
    exported.switches,
    exported.id,
    exported.quality_score as claimed_category,
    runs.category
from exported
left join scored.runs as runs
    on
        exported.provenance.source_file = runs.source_file
        and exported.provenance.line_offset = runs.line_offset
        and exported.provenance.sig_hash = runs.sig_hash
where
    coalesce(runs.category <> 'accepted', true)
    or coalesce(exported.quality_score <> 'accepted', true)

union all

select
    'no switch' as switches,
    'no line at all' as id,
    cast(null as varchar) as claimed_category,
    cast(null as varchar) as category
from files.sft
having count(*) = 0
