-- One answer of a replay: what was asked, what a model said with the evidence that it was given, and what the gate found.
-- grain: one row per object line of the stream
-- version: 1

select
    field.created_at as time_field,
    text(field.task) as instruction,
    text(field.answer) as content,
    word(field.verdict) as verdict,
    whole(field.attempt) as attempts
from evidence.objects
where source = 'replay_runs'
