-- What is known of every record now: worked out apart from the gates, for the checks that hold whole files against it.
-- A number stands for the record's hash and place, none of which is ever null: all lines of a file are compared each time.
-- grain: one row per scored record
-- version: 2

select
    keys.source,
    keys.record,
    keys.place,
    keys.category,
    keys.occurred_at,
    keys.run,
    keys.task,
    keys.is_borrowed,
    keys.subject,
    keys.question,
    keys.instruction_is_blank,
    disputed.record is not null as is_disputed
from exports.keys as keys
left join run.disputed as disputed
    on keys.record = disputed.record
