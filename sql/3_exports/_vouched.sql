-- What the scores say of every record now: worked out apart from the gates, for the checks that hold whole files against it.
-- A number stands for the record's hash and place, none of which is ever null: all lines of a file are compared each time.
-- grain: one row per scored record
-- version: 1

with disputed as (
    select
        texts.source,
        texts.sig_hash,
        conflicts.detail
    from exports.texts as texts
    inner join exports.conflicts as conflicts
        on
            texts.instruction_key = conflicts.instruction_key
            and texts.content_key = conflicts.content_key
)

select
    place_hash(runs.source_file, runs.line_offset, runs.sig_hash) as place,
    runs.category,
    disputed.detail as conflict
from scored.runs as runs
left join disputed
    on
        runs.source = disputed.source
        and runs.sig_hash = disputed.sig_hash
