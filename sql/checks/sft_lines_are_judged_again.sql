-- Every new line of the sft file says of its record what the models that score say of it when they are asked again: what
-- scored.runs says does not count. Lines that were copied were held against this when they were new.
-- grain: one row per violation
-- version: 1
-- stage: export-sft

with lines as (
    select
        id,
        quality_score,
        place_hash(provenance.source_file, provenance.line_offset, provenance.sig_hash) as place
    from files.sft_new
)

select
    lines.id,
    lines.quality_score as claimed_category,
    rejudged.category
from lines
cross join run.options as options
left join run.rejudged as rejudged
    on lines.place = rejudged.place
where
    coalesce(rejudged.category <> lines.quality_score, true)
    or rejudged.category not in ('accepted', 'partially_accepted')
    or (rejudged.category = 'partially_accepted' and not options.include_partial)
