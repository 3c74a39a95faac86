-- One answer of a replay: what was asked, what a model said with the evidence that it was given, and what the gate found.
-- grain: one row per object line of the stream
-- version: 2

select
    field.created_at as time_field,
    text(field.task) as instruction,
    text(field.answer) as content,
    word(field.verdict) as verdict,
    whole(field.attempt) as attempts,
    not_text('verdict', field.verdict) as misread_judged,
    not_text('task', field.task)
    || not_text('answer', field.answer)
    || not_whole('attempt', field.attempt) as misread_more
from evidence.objects
where source = 'replay_runs'
