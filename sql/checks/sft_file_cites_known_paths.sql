-- Where a list of known paths was given, no row of the sft file comes from a record that cites another path.
-- grain: one row per violation
-- version: 1
-- stage: export-sft

select
    file.id,
    unknown.path
from files.sft as file
inner join run.unknown_paths as unknown
    on
        unknown.sig_hash = file.provenance.sig_hash
        and unknown.source_file = file.provenance.source_file
        and unknown.line_offset = file.provenance.line_offset
