-- What exported rows say of the records that they came from: one side of a rag or sft row, two of a pair. Null: not said.
-- grain: one row per wanted row and side
-- version: 1

select
    'rag' as export,
    rows.id,
    'row' as side,
    [rows.content] as texts,
    cast(null as varchar) as instruction,
    rows.content,
    rows.title,
    rows.source_category as category,
    rows.source_run_id as run_id,
    rows.task_id,
    rows.created_at as occurred_at,
    rows.provenance
from exports.rag as rows
inner join run.wanted as wanted
    on rows.id = wanted.id

union all

select
    'sft' as export,
    rows.id,
    'row' as side,
    [rows.instruction, rows.response] as texts,
    rows.instruction,
    rows.response as content,
    cast(null as varchar) as title,
    rows.quality_score as category,
    rows.source_run_id as run_id,
    rows.task_id,
    rows.created_at as occurred_at,
    rows.provenance
from exports.sft as rows
inner join run.wanted as wanted
    on rows.id = wanted.id

union all

select
    'preference' as export,
    rows.id,
    'chosen' as side,
    [rows.prompt, rows.chosen, rows.rejected] as texts,
    rows.prompt as instruction,
    rows.chosen as content,
    cast(null as varchar) as title,
    'accepted' as category,
    rows.chosen_run_id as run_id,
    rows.task_id,
    rows.created_at as occurred_at,
    rows.provenance
from exports.preference as rows
inner join run.wanted as wanted
    on rows.id = wanted.id

union all

select
    'preference' as export,
    rows.id,
    'rejected' as side,
    [rows.prompt, rows.chosen, rows.rejected] as texts,
    cast(null as varchar) as instruction,
    case when rows.reason <> 'settled_discrepancy' then rows.rejected end as content,
    cast(null as varchar) as title,
    case rows.reason
        when 'accepted_over_partially_accepted' then 'partially_accepted'
        when 'settled_discrepancy' then 'accepted'
        else 'rejected'
    end as category,
    case when rows.reason <> 'settled_discrepancy' then rows.rejected_run_id end as run_id,
    case when rows.reason <> 'cross_stream' then rows.task_id end as task_id,
    null as occurred_at,
    rows.rejected_provenance as provenance
from exports.preference as rows
inner join run.wanted as wanted
    on rows.id = wanted.id
