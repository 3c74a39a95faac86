-- Where a list of known paths was given, no row of the rag file comes from a record that cites another path.
-- grain: one row per violation
-- version: 1
-- stage: export-rag

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
)

select
    file.id,
    unknown.path
from files.rag as file
inner join unknown
    on
        unknown.sig_hash = file.provenance.sig_hash
        and unknown.source_file = file.provenance.source_file
        and unknown.line_offset = file.provenance.line_offset
