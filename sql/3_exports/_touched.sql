-- The records that a gate may answer otherwise for: those that changed, and those that have the texts of one of them,
-- for whether judges disagree on a text hangs on all who have it. With what scopes ask of their texts.
-- grain: one row per record
-- version: 1

with own as (
    select
        changed.source,
        changed.sig_hash,
        texts.rag_id,
        texts.sft_id,
        texts.subject,
        texts.instruction_key,
        texts.content_key
    from run.changed as changed
    left join exports.texts as texts
        on
            changed.source = texts.source
            and changed.sig_hash = texts.sig_hash
),

said as (
    select distinct
        instruction_key,
        content_key
    from own
    where content_key is not null
)

select
    texts.source,
    texts.sig_hash,
    texts.rag_id,
    texts.sft_id,
    texts.subject
from exports.texts as texts
inner join said
    on
        texts.instruction_key = said.instruction_key
        and texts.content_key = said.content_key

union

select
    source,
    sig_hash,
    rag_id,
    sft_id,
    subject
from own
