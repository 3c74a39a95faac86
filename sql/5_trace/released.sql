-- The exported rows that came from the traced lines, and the files that hold them: of one version, or of all there were.
-- grain: one row per exported row, side and file
-- version: 1

with sides as (
    select 'rag' as export, id, 'row' as side, provenance, filename from run.released_rag
    union all
    select 'sft' as export, id, 'row' as side, provenance, filename from run.released_sft
    union all
    select 'preference' as export, id, 'chosen' as side, provenance, filename from run.released_preference
    union all
    select 'preference' as export, id, 'rejected' as side, rejected_provenance as provenance, filename
    from run.released_preference
)

select
    sides.export,
    sides.id,
    sides.side,
    sides.provenance['sig_hash'] as sig_hash,
    sides.filename,
    places.source_file,
    places.line_offset
from sides
inner join run.places as places
    on
        sides.provenance['source_file'] = places.source_file
        and sides.provenance['line_offset'] = places.line_offset
