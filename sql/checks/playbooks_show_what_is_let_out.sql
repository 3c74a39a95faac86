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
    select playbook_id, category, example.id as id, pair_hash(example.id, playbook_id) as shown_row from shown
    union all
    select playbook_id, 'either' as category, step.id as id, pair_hash(step.id, playbook_id) as shown_row from steps
),

rows as (
    select
        pair_hash(id, playbook_id) as let_out,
        source_category,
        place_hash(provenance['source_file'], provenance['line_offset'], provenance['sig_hash']) as place
    from exports.rag
    where playbook_id is not null
)

select
    named.playbook_id,
    named.id,
    named.category as shown_as,
    rows.source_category as category,
    vouched.category as scored
from named
left join rows
    on named.shown_row = rows.let_out
left join run.vouched as vouched
    on rows.place = vouched.place
where
    coalesce(rows.source_category <> vouched.category, true)
    or vouched.category not in ('accepted', 'partially_accepted')
    or named.category not in ('either', vouched.category)
