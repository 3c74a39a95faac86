-- What is known of every record now: worked out apart from the gates, for the checks that hold whole files against it.
-- A number stands for the record's hash and place, none of which is ever null: all lines of a file are compared each time.
-- grain: one row per scored record
-- version: 1

with disputed as (
    select
        pair_hash(instruction_key, content_key) as said,
        min(detail) as detail
    from exports.conflicts
    group by pair_hash(instruction_key, content_key)
)

select
    keys.source,
    keys.record,
    keys.place,
    keys.category,
    keys.occurred_at,
    keys.run,
    keys.task,
    keys.subject,
    keys.question,
    keys.instruction_is_blank,
    disputed.detail as conflict
from exports.keys as keys
left join disputed
    on keys.said = disputed.said
