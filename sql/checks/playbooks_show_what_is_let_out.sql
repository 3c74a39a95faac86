-- What a playbook shows was let out: its exemplars are accepted rows of rag, its warnings partially accepted ones, its steps
-- come from either; all of them are rows of this playbook, and their records have that score.
-- grain: one row per violation
-- version: 1
-- stage: extract-playbooks

with shown as (
    select id as playbook_id, 'accepted' as category, unnest(exemplars) as example from exports.playbooks
    union all
    select id as playbook_id, 'partially_accepted' as category, unnest(warnings) as example from exports.playbooks
),

steps as (
    select id as playbook_id, unnest(steps) as step from exports.playbooks
),

named as (
    select playbook_id, category, example.id as id from shown
    union all
    select playbook_id, 'either' as category, step.id as id from steps
)

select
    named.playbook_id,
    named.id,
    named.category as shown_as,
    rows.source_category as category,
    runs.category as scored
from named
left join exports.rag as rows
    on
        named.id = rows.id
        and named.playbook_id = rows.playbook_id
left join scored.runs as runs
    on
        rows.provenance['sig_hash'] = runs.sig_hash
        and rows.provenance['source_file'] = runs.source_file
        and rows.provenance['line_offset'] = runs.line_offset
where
    coalesce(rows.source_category <> runs.category, true)
    or runs.category not in ('accepted', 'partially_accepted')
    or named.category not in ('either', runs.category)
