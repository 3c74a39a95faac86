-- Every row of the sft file comes from a scored record that this corpus may hold, under the switches of the run.
-- grain: one row per violation
-- version: 2
-- stage: export-sft

with lines as (
    select
        id,
        quality_score,
        is_blank(source_run_id) or is_blank(task_id) or created_at is null as is_incomplete,
        place_hash(provenance.source_file, provenance.line_offset, provenance.sig_hash) as place
    from files.sft
)

select
    lines.id,
    lines.quality_score as claimed_category,
    vouched.category,
    vouched.is_disputed
from lines
cross join run.options as options
left join run.vouched as vouched
    on lines.place = vouched.place
where
    coalesce(vouched.category <> lines.quality_score, true)
    or coalesce(vouched.is_disputed, true)
    or vouched.category not in ('accepted', 'partially_accepted')
    or (vouched.category = 'partially_accepted' and not options.include_partial)
    or lines.is_incomplete
