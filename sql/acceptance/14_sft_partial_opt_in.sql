-- With --include-partial no partially accepted record is held back for its category, such records are exported, and none
-- of the two other categories comes with them.
-- grain: one row per record held back or let out wrongly, and one if no partially accepted record came out
-- version: 1

with exported as (
    select
        file.id,
        runs.category
    from partial.sft as file
    left join scored.runs as runs
        on
            file.provenance.source_file = runs.source_file
            and file.provenance.line_offset = runs.line_offset
            and file.provenance.sig_hash = runs.sig_hash
)

select
    id,
    coalesce(category, 'of no record') as finding
from exported
where coalesce(category not in ('accepted', 'partially_accepted'), true)

union all

select
    sig_hash as id,
    'held back' as finding
from partial.quarantine
where
    export = 'sft'
    and reason = 'category_disallowed'

union all

select
    cast(null as varchar) as id,
    'no partially accepted record was exported' as finding
from exported
having count(case when category = 'partially_accepted' then 1 end) = 0
