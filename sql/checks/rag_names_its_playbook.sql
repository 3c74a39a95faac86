-- Every new line of the rag file names the playbook of its title; a line that waits for a human names none.
-- grain: one row per violation
-- version: 1
-- stage: export-rag

select
    file.id,
    file.source_category,
    file.playbook_id
from files.rag_new as file
where
    coalesce(file.playbook_id, '')
    <> case when file.source_category in ('accepted', 'partially_accepted') then playbook_id(file.title) else '' end
