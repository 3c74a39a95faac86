-- A patch that an agent applied by itself, and what became of it: committed, reverted, or something else.
-- grain: one row per object line of the stream
-- version: 2

select
    field.ts as time_field,
    filled(text(field.file)) as task_fallback,
    text(field.file) as subject,
    coalesce(filled(text(field.prompt)), 'Apply a fix to ' || filled(text(field.file))) as instruction,
    text(field.patch) as content,
    word(field.action) as verdict,
    not_text('action', field.action) as misread_judged,
    not_text('file', field.file)
    || not_text('prompt', field.prompt)
    || not_text('patch', field.patch) as misread_more
from evidence.objects
where source = 'auto_apply'
