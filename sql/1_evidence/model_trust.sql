-- One call of a model, measured: did it work, how long did it take, what did it cost, did somebody like it?
-- grain: one row per object line of the stream
-- version: 2

select
    field.ts as time_field,
    text(field.task_type) as subject,
    coalesce(word(field.thumb), cast(whole(field.thumb) as varchar), cast(truth(field.thumb) as varchar)) as verdict,
    truth(field.ok) as events_ok,
    not_truth('ok', field.ok)
    || case when truth(field.thumb) is null then not_label('thumb', field.thumb) else '' end as misread_judged,
    not_text('task_type', field.task_type) as misread_more
from evidence.objects
where source = 'model_trust'
