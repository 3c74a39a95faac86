-- The records that an export may have to decide again: those that a change touched, those that share an id with one of them
-- in rag or sft, and those in `run.of_tasks`. Found once for all exports, with all of `exports.texts`; each picks its own by
-- `_scope_<export>.sql`.
-- grain: one row per record
-- version: 1

with rag_ids as (
    select distinct rag
    from run.touched
),

sft_ids as (
    select distinct sft
    from run.touched
),

near as (
    select keys.record
    from exports.keys as keys
    left join rag_ids
        on keys.rag = rag_ids.rag
    left join sft_ids
        on keys.sft = sft_ids.sft
    where
        rag_ids.rag is not null
        or sft_ids.sft is not null

    union

    select record
    from run.touched

    union

    select record
    from run.of_tasks
)

select
    texts.source,
    texts.sig_hash,
    texts.content_is_blank,
    texts.instruction_is_blank,
    texts.rag_id,
    texts.sft_id,
    texts.subject,
    texts.instruction_key,
    texts.content_key
from exports.texts as texts
inner join near
    on pair_hash(texts.source, texts.sig_hash) = near.record
