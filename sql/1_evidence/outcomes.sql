-- The end of a task as the orchestrator saw it: did every event succeed, were there signals of a gap?
-- grain: one row per object line of the stream
-- version: 1

select
    field.created_at as time_field,
    text(field.task) as instruction,
    text(field.summary) as content,
    truth(field.all_events_ok) as events_ok,
    whole(field.gap_signals) as gap_signals
from evidence.objects
where source = 'outcomes'
