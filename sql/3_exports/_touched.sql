-- The records that a gate may answer otherwise for: those that changed, and those that have a text of one of them, be it what
-- was decided against: whether judges disagree on a text hangs on all who have it. With what scopes ask of them, as numbers.
-- grain: one row per record
-- version: 2

with own as (
    select
        pair_hash(changed.source, changed.sig_hash) as record,
        keys.task,
        keys.rag,
        keys.sft,
        keys.subject,
        keys.said,
        keys.decided_against
    from run.changed as changed
    left join exports.keys as keys
        on pair_hash(changed.source, changed.sig_hash) = keys.record
),

said as (
    select said
    from own
    where said is not null

    union

    select decided_against as said
    from own
    where decided_against is not null
)

select
    keys.record,
    keys.task,
    keys.rag,
    keys.sft,
    keys.subject
from exports.keys as keys
inner join said
    on keys.said = said.said

union

select
    record,
    task,
    rag,
    sft,
    subject
from own
