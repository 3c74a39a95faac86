-- Every new line of the rag file says of its record what the models that score say of it, whatever
-- scored.runs says. Lines that were copied were held against this when they were new.
-- grain: one row per violation
-- version: 1
-- stage: export-rag

with lines as (
    select
        id,
        source_category,
        place_hash(provenance.source_file, provenance.line_offset, provenance.sig_hash) as place
    from files.rag_new
)

select
    lines.id,
    lines.source_category as claimed_category,
    judged.category
from lines
cross join run.options as options
left join run.judged as judged
    on lines.place = judged.place
where
    coalesce(judged.category <> lines.source_category, true)
    or judged.category = 'rejected'
    or (judged.category = 'needs_human_review' and not options.include_review)
