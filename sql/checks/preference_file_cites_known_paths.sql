-- Where a list of known paths was given, neither side of a pair in the preference file comes from a record that cites another.
-- grain: one row per violation
-- version: 1
-- stage: export-preference

with sides as (
    select
        id,
        provenance as side
    from files.preference
    union all
    select
        id,
        rejected_provenance as side
    from files.preference
)

select
    sides.id,
    unknown.path
from sides
inner join run.unknown_paths as unknown
    on
        unknown.sig_hash = sides.side.sig_hash
        and unknown.source_file = sides.side.source_file
        and unknown.line_offset = sides.side.line_offset
