-- The records that rag or sft may have to decide again: those that a change touched, and those that share an id with one of
-- them in either corpus. Found once for both; `_scope_rag.sql` and `_scope_sft.sql` pick theirs.
-- grain: one row per record
-- version: 1

with rag_ids as (
    select distinct rag_id as id
    from run.touched
),

sft_ids as (
    select distinct sft_id as id
    from run.touched
)

select
    texts.source,
    texts.sig_hash,
    texts.rag_id,
    texts.sft_id
from exports.texts as texts
left join rag_ids
    on texts.rag_id = rag_ids.id
left join sft_ids
    on texts.sft_id = sft_ids.id
where
    rag_ids.id is not null
    or sft_ids.id is not null

union

select
    source,
    sig_hash,
    rag_id,
    sft_id
from run.touched
