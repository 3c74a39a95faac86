-- A coding agent's attempt at a performance task, with the measured verdict beside it.
-- grain: one row per object line of the stream
-- version: 1

select
    field.timestamp as time_field,
    filled(text(field.item_id)) as task_fallback,
    text(field.repo) as subject,
    word(field.evaluation.status) as verdict,
    truth(field.evaluation.improvement) as events_ok
from evidence.objects
where source = 'optimization_runs'
