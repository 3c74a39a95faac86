-- Every step that was made now stands in the record that is said to have it first.
-- grain: one row per violation
-- version: 1
-- stage: extract-playbooks

with steps as (
    select id as playbook_id, unnest(steps) as step from run.made_playbooks
),

named as (
    select distinct step.id as id from steps
),

texts as (
    select
        rows.id,
        spelling_key(one_line(rows.content)) as text_key
    from run.playbook_rows as rows
    inner join named
        on rows.id = named.id
)

select
    steps.playbook_id,
    steps.step.id as id,
    steps.step.step as step
from steps
left join texts
    on steps.step.id = texts.id
where coalesce(not has_part(texts.text_key, spelling_key(steps.step.step)), true)
