-- Every record, skip, score, exported row and quarantined row names a landed line, and the hash of that line.
-- grain: one row per row that names no line
-- version: 1

with named as (
    select 'evidence.records' as place, source_file, line_offset, sig_hash, sig_hash is not null as is_whole
    from evidence.records
    union all
    select 'evidence.skips' as place, source_file, line_offset, sig_hash, true as is_whole
    from evidence.skips
    union all
    select 'scored.runs' as place, source_file, line_offset, sig_hash, sig_hash is not null as is_whole
    from scored.runs
    union all
    select 'exports.quarantine' as place, source_file, line_offset, sig_hash, sig_hash is not null as is_whole
    from exports.quarantine
    union all
    select
        'rag' as place,
        provenance.source_file,
        provenance.line_offset,
        provenance.sig_hash,
        provenance.sig_hash is not null as is_whole
    from files.rag
    union all
    select
        'sft' as place,
        provenance.source_file,
        provenance.line_offset,
        provenance.sig_hash,
        provenance.sig_hash is not null as is_whole
    from files.sft
    union all
    select
        'preference, chosen' as place,
        provenance.source_file,
        provenance.line_offset,
        provenance.sig_hash,
        provenance.sig_hash is not null as is_whole
    from files.preference
    union all
    select
        'preference, rejected' as place,
        rejected_provenance.source_file,
        rejected_provenance.line_offset,
        rejected_provenance.sig_hash,
        rejected_provenance.sig_hash is not null as is_whole
    from files.preference
)

select
    named.place,
    named.source_file,
    named.line_offset,
    named.sig_hash
from named
left join raw.lines as lines
    on
        named.source_file = lines.source_file
        and named.line_offset = lines.line_offset
where
    lines.source_file is null
    or not named.is_whole
    or coalesce(named.sig_hash, '') <> coalesce(lines.sig_hash, '')
