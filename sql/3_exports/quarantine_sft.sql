-- What the gates of sft stopped, each record with exactly one reason.
-- grain: one row per stopped record
-- version: 1

select
    'sft' as export,
    reason,
    detail,
    source,
    run_id as source_run_id,
    task_id,
    source_file,
    line_offset,
    sig_hash
from exports.sft_gates
where reason is not null
