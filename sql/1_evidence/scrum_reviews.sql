-- A reviewer agent's review of a file, and the attempt at which the scrum master accepted it.
-- grain: one row per object line of the stream
-- version: 2

select
    field.created_at as time_field,
    filled(text(field.file)) as task_fallback,
    text(field.file) as subject,
    coalesce(filled(text(field.prompt)), 'Review ' || filled(text(field.file))) as instruction,
    text(field.review) as content,
    case
        when field.accepted = 'false' then 'rejected'
        when is_number(field.accepted_on_attempt) then 'accepted'
    end as verdict,
    whole(field.accepted_on_attempt) as attempts,
    not_truth('accepted', field.accepted)
    || not_whole('accepted_on_attempt', field.accepted_on_attempt) as misread_judged,
    not_text('file', field.file)
    || not_text('prompt', field.prompt)
    || not_text('review', field.review) as misread_more
from evidence.objects
where source = 'scrum_reviews'
