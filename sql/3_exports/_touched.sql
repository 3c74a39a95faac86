-- The records that a gate may answer otherwise for: those that changed, and those that have the texts of one of them,
-- for whether judges disagree on a text hangs on all who have it.
-- grain: one row per record
-- version: 1

with said as (
    select distinct
        texts.instruction_key,
        texts.content_key
    from exports.texts as texts
    inner join run.changed as changed
        on
            texts.source = changed.source
            and texts.sig_hash = changed.sig_hash
    where texts.content_key is not null
)

select
    texts.source,
    texts.sig_hash
from exports.texts as texts
inner join said
    on
        texts.instruction_key = said.instruction_key
        and texts.content_key = said.content_key

union

select
    source,
    sig_hash
from run.changed
