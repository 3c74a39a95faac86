-- The records that sft has to decide again: those that a change touched, and those that share an id with one of them.
-- grain: one row per record
-- version: 1

with ids as (
    select distinct sft_id as id
    from run.touched
)

select
    texts.source,
    texts.sig_hash,
    texts.sft_id as id
from exports.texts as texts
inner join ids
    on texts.sft_id = ids.id

union

select
    source,
    sig_hash,
    sft_id as id
from run.touched
