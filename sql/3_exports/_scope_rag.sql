-- The records that rag has to decide again: those that a change touched, and those that share an id with one of them.
-- grain: one row per record
-- version: 1

with ids as (
    select distinct rag_id as id
    from run.touched
)

select
    near.source,
    near.sig_hash,
    near.rag_id as id
from run.near as near
inner join ids
    on near.rag_id = ids.id

union

select
    source,
    sig_hash,
    rag_id as id
from run.touched
