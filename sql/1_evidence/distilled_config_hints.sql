-- A configuration hint that was distilled from earlier records.
-- grain: one row per object line of the stream
-- version: 2

select
    field.created_at as time_field,
    text(field.text) as content,
    not_text('text', field.text) as misread_more
from evidence.objects
where source = 'distilled_config_hints'
