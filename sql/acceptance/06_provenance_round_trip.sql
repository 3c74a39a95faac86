-- For every landed line, sig_hash and line_sha256 come out the same when they are computed from the source file anew.
-- grain: one row per line with another hash
-- version: 1

select
    lines.source_file,
    lines.line_offset,
    lines.line_sha256,
    written.line_sha256 as recomputed_line_sha256,
    lines.sig_hash,
    written.sig_hash as recomputed_sig_hash
from raw.lines as lines
inner join fixture.lines as written
    on
        lines.source_file = written.source_file
        and lines.line_offset = written.line_offset
where
    lines.line_sha256 <> written.line_sha256
    or (lines.status = 'object' and coalesce(lines.sig_hash <> written.sig_hash, true))
    or (lines.status <> 'object' and lines.sig_hash is not null)
