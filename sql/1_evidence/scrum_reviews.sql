-- A reviewer agent's review of a file, and the attempt at which the scrum master accepted it.
-- grain: one row per object line of the stream
-- version: 1

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
    whole(field.accepted_on_attempt) as attempts
from evidence.objects
where source = 'scrum_reviews'
