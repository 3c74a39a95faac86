-- What the observer handed to a larger model: the reason, and the analysis that came back.
-- grain: one row per object line of the stream
-- version: 2

select
    field.ts as time_field,
    text(field.reason) as instruction,
    text(field.analysis) as content,
    not_text('reason', field.reason)
    || not_text('analysis', field.analysis) as misread_more
from evidence.objects
where source = 'observer_escalations'
