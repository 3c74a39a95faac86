-- One comment of an AI code reviewer on a pull request, and how a judge model rated it.
-- grain: one row per object line of the stream
-- version: 2

select
    field.collected_at as time_field,
    filled(text(field.pr)) as task_fallback,
    text(field.pr) as subject,
    text(field.tool) as model_name,
    'Review pull request: ' || coalesce(filled(text(field.pr_title)), filled(text(field.pr))) as instruction,
    text(field.comment) as content,
    word(field.judgement) as verdict,
    word(field.severity) as severity,
    not_text('tool', field.tool) as misread_model,
    not_text('judgement', field.judgement) as misread_judged,
    not_text('pr', field.pr)
    || not_text('pr_title', field.pr_title)
    || not_text('comment', field.comment)
    || not_text('severity', field.severity) as misread_more
from evidence.objects
where source = 'code_reviews'
