-- No line of the rag file comes from a rejected record, with either switch or without.
-- grain: one row per line that does, or that comes from no scored record, and one if there is no line at all
-- version: 1

with exported as (
    select id, source_category, provenance, 'no switch' as switches from files.rag
    union all
    select id, source_category, provenance, 'include_partial' as switches from partial.rag
    union all
    select id, source_category, provenance, 'include_review' as switches from review.rag
)

select
    exported.switches,
    exported.id,
    exported.source_category as claimed_category,
    runs.category
from exported
left join scored.runs as runs
    on
        exported.provenance.source_file = runs.source_file
        and exported.provenance.line_offset = runs.line_offset
        and exported.provenance.sig_hash = runs.sig_hash
where
    coalesce(runs.category = 'rejected', true)
    or coalesce(exported.source_category = 'rejected', true)

union all

select
    'no switch' as switches,
    'no line at all' as id,
    cast(null as varchar) as claimed_category,
    cast(null as varchar) as category
from files.rag
having count(*) = 0
