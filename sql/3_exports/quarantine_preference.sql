-- What the gates of preference stopped: single records, and pairs (those of the chosen, the other side in the detail).
-- A settled record that its task stopped already is not stopped twice.
-- grain: one row per stopped record or pair
-- version: 2

select
    'preference' as export,
    reason,
    detail,
    source,
    run_id as source_run_id,
    task_id,
    source_file,
    line_offset,
    sig_hash
from exports.preference_rows
where reason is not null

union all

select
    'preference' as export,
    settled.reason,
    settled.detail,
    settled.source,
    settled.run_id as source_run_id,
    settled.task_id,
    settled.source_file,
    settled.line_offset,
    settled.sig_hash
from exports.settled_rows as settled
left join exports.preference_rows as rows
    on
        settled.source = rows.source
        and settled.sig_hash = rows.sig_hash
        and rows.reason is not null
where
    settled.reason is not null
    and rows.source is null

union all

select
    'preference' as export,
    pairs.reason,
    pairs.id || coalesce(pairs.note, '') || ' with ' || rejected.source_file || ':' || (rejected.line_offset + 1)
    || ' (' || coalesce(pairs.rejected_run_id, 'no run_id') || ', ' || rejected.sig_hash || ')' as detail,
    chosen.source,
    chosen.run_id as source_run_id,
    chosen.task_id,
    chosen.source_file,
    chosen.line_offset,
    chosen.sig_hash
from exports.preference_pairs as pairs
inner join scored.runs as chosen
    on
        pairs.chosen_source = chosen.source
        and pairs.chosen_sig_hash = chosen.sig_hash
inner join scored.runs as rejected
    on
        pairs.rejected_source = rejected.source
        and pairs.rejected_sig_hash = rejected.sig_hash
where pairs.reason is not null
