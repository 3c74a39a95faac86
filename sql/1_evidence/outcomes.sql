-- The end of a task as the orchestrator saw it: did every event succeed, were there signals of a gap?
-- grain: one row per object line of the stream
-- version: 2

select
    field.created_at as time_field,
    text(field.task) as instruction,
    text(field.summary) as content,
    truth(field.all_events_ok) as events_ok,
    whole(field.gap_signals) as gap_signals,
    not_truth('all_events_ok', field.all_events_ok)
    || not_whole('gap_signals', field.gap_signals) as misread_judged,
    not_text('task', field.task)
    || not_text('summary', field.summary) as misread_more
from evidence.objects
where source = 'outcomes'
