-- One answer of a model under an experimental mode, with the share of it that a validator found grounded.
-- grain: one row per object line of the stream
-- version: 1

select
    field.created_at as time_field,
    text(field.mode) as subject,
    text(field.prompt) as instruction,
    text(field.text) as content,
    number(field.validation_results.grounded_fraction) as grounded_fraction
from evidence.objects
where source = 'mode_experiments'
