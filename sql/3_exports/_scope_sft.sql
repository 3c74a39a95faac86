-- The records that sft has to decide again: those that a change touched, and those that share an id with one of them.
-- grain: one row per record
-- version: 1

with ids as (
    select distinct sft_id as id
    from run.touched
)

select
    near.source,
    near.sig_hash,
    near.sft_id as id
from run.near as near
inner join ids
    on near.sft_id = ids.id

union

select
    source,
    sig_hash,
    sft_id as id
from run.touched
