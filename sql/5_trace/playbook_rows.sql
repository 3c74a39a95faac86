-- The rows of rag that the wanted playbooks are made of.
-- grain: one row per row of rag
-- version: 1

select
    rows.id,
    rows.source_category as category
from exports.rag as rows
inner join run.wanted as wanted
    on rows.playbook_id = wanted.id
