-- The rows of the retrieval corpus that playbooks are made of, each beside the model behind it and why it was scored so.
-- grain: one row per accepted or partially accepted row of rag
-- version: 1

select
    rows.playbook_id,
    rows.title,
    rows.id,
    rows.source_category as category,
    rows.created_at,
    records.source,
    records.source_file,
    records.line_offset,
    records.sig_hash,
    filled(one_line(records.model_name)) as model_name,
    runs.reasons,
    summary(rows.content) as summary,
    row_number() over (
        partition by rows.playbook_id, rows.source_category
        order by rows.created_at desc, rows.id
    ) as place
from exports.rag as rows
inner join evidence.records as records
    on
        rows.provenance['sig_hash'] = records.sig_hash
        and rows.provenance['source_file'] = records.source_file
        and rows.provenance['line_offset'] = records.line_offset
inner join scored.runs as runs
    on
        records.source = runs.source
        and records.sig_hash = runs.sig_hash
where rows.source_category in ('accepted', 'partially_accepted')
