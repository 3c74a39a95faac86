-- Every row that a playbook is made of is counted in it, and every playbook that a row names is there.
-- grain: one row per playbook that is missing, or counts otherwise than its rows do
-- version: 1
-- stage: extract-playbooks

with named as (
    select
        playbook_id,
        count(case source_category when 'accepted' then 1 end) as accepted,
        count(case source_category when 'partially_accepted' then 1 end) as partially_accepted
    from exports.rag
    where source_category in ('accepted', 'partially_accepted')
    group by playbook_id
)

select
    coalesce(named.playbook_id, playbooks.id) as id,
    named.accepted,
    named.partially_accepted,
    playbooks.accepted as counted_accepted,
    playbooks.partially_accepted as counted_partially_accepted
from named
full outer join exports.playbooks as playbooks
    on named.playbook_id = playbooks.id
where
    coalesce(named.accepted <> playbooks.accepted, true)
    or coalesce(named.partially_accepted <> playbooks.partially_accepted, true)
