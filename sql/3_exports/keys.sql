-- What scopes and checks ask of every record, as numbers: all records are looked through often, and texts of that length take
-- most of the time. No gate decides by them: who finds few records by them reads their texts.
-- grain: one row per scored record
-- version: 2

with judged as (
    select
        source,
        pair_hash(source, sig_hash) as record,
        place_hash(source_file, line_offset, sig_hash) as place,
        pair_hash(source_file, line_offset) as line,
        category,
        occurred_at,
        text_hash(run_id) as run,
        text_hash(task_id) as task,
        is_borrowed(reasons) as is_borrowed
    from scored.runs
),

worded as (
    select
        pair_hash(source, sig_hash) as record,
        instruction_is_blank,
        text_hash(rag_id) as rag,
        text_hash(sft_id) as sft,
        text_hash(subject) as subject,
        text_hash(instruction_key) as question,
        text_hash(content_key) as content,
        case when content_key is not null then pair_hash(instruction_key, content_key) end as said,
        case when alternative_key is not null then pair_hash(instruction_key, alternative_key) end as decided_against
    from exports.texts
)

select
    judged.source,
    judged.record,
    judged.place,
    judged.line,
    judged.category,
    judged.occurred_at,
    judged.run,
    judged.task,
    judged.is_borrowed,
    worded.instruction_is_blank,
    worded.rag,
    worded.sft,
    worded.subject,
    worded.question,
    worded.content,
    worded.said,
    worded.decided_against
from judged
left join worded
    on judged.record = worded.record
