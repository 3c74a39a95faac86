-- One call of a model, measured: did it work, how long did it take, what did it cost, did somebody like it?
-- grain: one row per object line of the stream
-- version: 1

select
    field.ts as time_field,
    text(field.task_type) as subject,
    coalesce(word(field.thumb), cast(whole(field.thumb) as varchar), cast(truth(field.thumb) as varchar)) as verdict,
    truth(field.ok) as events_ok
from evidence.objects
where source = 'model_trust'
