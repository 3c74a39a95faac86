-- Where a list of known paths was given, neither side of a pair in the preference file comes from a record that cites another.
-- grain: one row per violation
-- version: 1
-- stage: export-preference

with cited as (
    select
        source_file,
        line_offset,
        sig_hash,
        unnest(cited_paths) as path
    from evidence.records
),

unknown as (
    select
        cited.source_file,
        cited.line_offset,
        cited.sig_hash,
        cited.path
    from cited
    cross join run.options as options
    left join run.known_paths as known_paths
        on cited.path = known_paths.path
    where
        options.known_paths_given
        and known_paths.path is null
),

sides as (
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
inner join unknown
    on
        unknown.sig_hash = sides.side.sig_hash
        and unknown.source_file = sides.side.source_file
        and unknown.line_offset = sides.side.line_offset
