-- An observer's notes on a file under review: accept it, reject it, or send it round again.
-- grain: one row per object line of the stream
-- version: 2

select
    field.ts as time_field,
    filled(text(field.file)) as task_fallback,
    text(field.file) as subject,
    coalesce(filled(text(field.prompt)), 'Review ' || filled(text(field.file))) as instruction,
    text(field.notes) as content,
    word(field.verdict) as verdict,
    not_text('verdict', field.verdict) as misread_judged,
    not_text('file', field.file)
    || not_text('prompt', field.prompt)
    || not_text('notes', field.notes) as misread_more
from evidence.objects
where source = 'observer_reviews'
