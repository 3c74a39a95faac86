-- What records cite that is not on the list of known paths, where one was given; worked out apart from the gates.
-- grain: one row per record and path
-- version: 1

with cited as (
    select
        source_file,
        line_offset,
        sig_hash,
        unnest(cited_paths) as path
    from evidence.records
)

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
