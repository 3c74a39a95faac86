-- The playbooks: what is known of each unit of work, and the page that says it. Everything in a page that came from a record
-- went through `markdown` and stays on one line: what an agent wrote can't become a heading, a link or HTML.
-- grain: one row per title of an accepted or partially accepted row of rag
-- version: 1

with written as (
    select
        *,
        '# ' || markdown(cut(title, 150)) || chr(10) || chr(10)
        || '`' || playbook_id || '`: ' || accepted || ' accepted, ' || partially_accepted || ' partially accepted; '
        || case when day(first_seen_at) < day(last_seen_at) then day(first_seen_at) || ' to ' else '' end
        || day(last_seen_at) || chr(10) || chr(10)
        || 'evidence sha256 `' || evidence_sha256 || '`' || chr(10) as head,
        list_transform(
            steps,
            lambda item: '- [ ] ' || markdown(item.step) || ' (' || item.records
            || case when item.records = 1 then ' record, `' else ' records, first `' end || item.id || '`)'
        ) as step_lines,
        list_transform(models, lambda item: '- ' || markdown(item.model_name) || ': ' || item.records) as model_lines,
        list_transform(
            exemplars,
            lambda item: '- ' || day(item.created_at) || coalesce(', ' || markdown(item.model_name), '') || ': '
            || markdown(item.summary) || chr(10) || '  - ' || evidence_line(item)
        ) as exemplar_lines,
        list_transform(
            warnings,
            lambda item: '- **' || markdown(array_to_string(item.reasons, ', ')) || '** ' || day(item.created_at)
            || coalesce(', ' || markdown(item.model_name), '') || ': ' || markdown(item.summary)
            || chr(10) || '  - ' || evidence_line(item)
        ) as warning_lines
    from exports.playbook_units
),

paged as (
    select
        *,
        head
        || section('Steps to verify', 'Those that most records share come first.', step_lines)
        || section('Models that succeeded', 'How many accepted records each has.', model_lines)
        || section('Exemplars', 'Accepted work, newest first.', exemplar_lines)
        || section('Warnings', 'Work that was accepted only in part, newest first, and why.', warning_lines) as page
    from written
)

select
    cast(1 as integer) as schema_version,
    playbook_id as id,
    title,
    accepted,
    partially_accepted,
    steps,
    steps_in_all,
    exemplars,
    warnings,
    models,
    first_seen_at,
    last_seen_at,
    evidence_sha256,
    coalesce(nullif(slug(title), ''), 'playbook') || substr(playbook_id, 9) || '.md' as file,
    sha256(page) as page_sha256,
    page
from paged
order by id
