-- The records that sft has to decide again: those that a change touched, and those that share an id with one of them.
-- A record without this id shares none with others; it comes along where it is near.
-- grain: one row per record
-- version: 1

with ids as (
    select distinct sft
    from run.touched
)

select
    near.source,
    near.sig_hash,
    near.sft_id as id
from run.near as near
left join ids
    on text_hash(near.sft_id) = ids.sft
where
    near.sft_id is null
    or ids.sft is not null
