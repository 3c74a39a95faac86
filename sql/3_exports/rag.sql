-- The retrieval corpus: what agents produced and nobody rejected.
-- grain: one row per exported record
-- version: 1

select
    cast(1 as integer) as schema_version,
    gates.id,
    coalesce(filled(records.subject), records.task_id) as title,
    records.content,
    [records.source] as tags,
    runs.category as source_category,
    records.run_id as source_run_id,
    records.task_id,
    records.occurred_at as created_at,
    {
        'source_file': records.source_file,
        'line_offset': records.line_offset,
        'sig_hash': records.sig_hash,
        'recorded_at': records.recorded_at
    } as provenance,
    case
        when runs.category in ('accepted', 'partially_accepted')
            then playbook_id(coalesce(filled(records.subject), records.task_id))
    end as playbook_id
from exports.rag_gates as gates
inner join scored.runs as runs
    on
        gates.source = runs.source
        and gates.sig_hash = runs.sig_hash
inner join evidence.records as records
    on
        gates.source = records.source
        and gates.sig_hash = records.sig_hash
where gates.reason is null
order by gates.id
