-- Every row of the rag file comes from a scored record that this corpus may hold, under the switches of the run.
-- grain: one row per violation
-- version: 2
-- stage: export-rag

with lines as (
    select
        id,
        source_category,
        is_blank(source_run_id) or is_blank(task_id) or created_at is null as is_incomplete,
        place_hash(provenance.source_file, provenance.line_offset, provenance.sig_hash) as place
    from files.rag
)

select
    lines.id,
    lines.source_category as claimed_category,
    vouched.category,
    vouched.is_disputed
from lines
cross join run.options as options
left join run.vouched as vouched
    on lines.place = vouched.place
where
    coalesce(vouched.category <> lines.source_category, true)
    or coalesce(vouched.is_disputed, true)
    or vouched.category = 'rejected'
    or (vouched.category = 'needs_human_review' and not options.include_review)
    or lines.is_incomplete
