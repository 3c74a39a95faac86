-- The wanted playbooks: what each says of itself, and the rows of rag that it shows.
-- grain: one row per wanted playbook
-- version: 1

select
    playbooks.id,
    playbooks.title,
    playbooks.accepted,
    playbooks.partially_accepted,
    playbooks.evidence_sha256,
    playbooks.file,
    playbooks.page_sha256,
    playbooks.page,
    list_transform(playbooks.exemplars, lambda item: item.id) as exemplars,
    list_transform(playbooks.warnings, lambda item: item.id) as warnings
from exports.playbooks as playbooks
inner join run.wanted as wanted
    on playbooks.id = wanted.id
