-- A coding agent's attempt at a performance task, with the measured verdict beside it.
-- grain: one row per object line of the stream
-- version: 2

select
    field.timestamp as time_field,
    filled(text(field.item_id)) as task_fallback,
    text(field.repo) as subject,
    word(inner_field(field.evaluation, 'status')) as verdict,
    truth(inner_field(field.evaluation, 'improvement')) as events_ok,
    not_object('evaluation', field.evaluation)
    || not_text('evaluation.status', inner_field(field.evaluation, 'status'))
    || not_truth('evaluation.improvement', inner_field(field.evaluation, 'improvement')) as misread_judged,
    not_text('item_id', field.item_id)
    || not_text('repo', field.repo) as misread_more
from evidence.objects
where source = 'optimization_runs'
