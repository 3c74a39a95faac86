-- Every step that was made now stands in the record that is said to have it first.
-- grain: one row per violation
-- version: 1
-- stage: extract-playbooks

with steps as (
    select id as playbook_id, unnest(steps) as step from run.made_playbooks
)

select
    steps.playbook_id,
    steps.step.id as id,
    steps.step.step as step
from steps
left join run.playbook_rows as rows
    on steps.step.id = rows.id
where coalesce(not has_text(rows.content, steps.step.step), true)
