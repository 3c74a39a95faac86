-- Every new line of the rag file says of its record what the models that score say of it when they are asked again: what
-- scored.runs says does not count. Lines that were copied were held against this when they were new.
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
    rejudged.category
from lines
cross join run.options as options
left join run.rejudged as rejudged
    on lines.place = rejudged.place
where
    coalesce(rejudged.category <> lines.source_category, true)
    or rejudged.category = 'rejected'
    or (rejudged.category = 'needs_human_review' and not options.include_review)
