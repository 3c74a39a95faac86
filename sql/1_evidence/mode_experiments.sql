-- One answer of a model under an experimental mode, with the share of it that a validator found grounded.
-- grain: one row per object line of the stream
-- version: 2

select
    field.created_at as time_field,
    text(field.mode) as subject,
    text(field.prompt) as instruction,
    text(field.text) as content,
    number(inner_field(field.validation_results, 'grounded_fraction')) as grounded_fraction,
    not_whole('latency_ms', field.latency_ms)
    || not_object('validation_results', field.validation_results)
    || not_share(
        'validation_results.grounded_fraction', inner_field(field.validation_results, 'grounded_fraction')
    ) as misread_judged,
    not_text('mode', field.mode)
    || not_text('prompt', field.prompt)
    || not_text('text', field.text) as misread_more
from evidence.objects
where source = 'mode_experiments'
