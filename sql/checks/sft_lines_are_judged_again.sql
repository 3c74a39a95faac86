-- Every new line of the sft file says of its record what the models that score say of it, whatever
-- scored.runs says. Lines that were copied were held against this when they were new.
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
    judged.category
from lines
cross join run.options as options
left join run.judged as judged
    on lines.place = judged.place
where
    coalesce(judged.category <> lines.quality_score, true)
    or judged.category not in ('accepted', 'partially_accepted')
    or (judged.category = 'partially_accepted' and not options.include_partial)
