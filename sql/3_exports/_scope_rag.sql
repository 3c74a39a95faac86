-- The records that rag has to decide again: those that a change touched, and those that share an id with one of them.
-- A record without this id shares none with others; it comes along where it is near.
-- grain: one row per record
-- version: 1

with ids as (
    select distinct rag
    from run.touched
)

select
    near.source,
    near.sig_hash,
    near.rag_id as id
from run.near as near
left join ids
    on text_hash(near.rag_id) = ids.rag
where
    near.rag_id is null
    or ids.rag is not null
