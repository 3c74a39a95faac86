-- Lines that could not become evidence: broken ones, and objects (with all their repeats) without a time or a task.
-- grain: one row per skipped line
-- version: 1

select
    source,
    source_file,
    line_offset,
    status as reason,
    detail,
    line_sha256,
    sig_hash,
    recorded_at
from evidence.lines
where status <> 'object'

union all

select
    lines.source,
    lines.source_file,
    lines.line_offset,
    refused.skip_reason as reason,
    refused.skip_detail as detail,
    lines.line_sha256,
    lines.sig_hash,
    lines.recorded_at
from evidence.refused as refused
inner join evidence.lines as lines
    on
        refused.source = lines.source
        and refused.sig_hash = lines.sig_hash
