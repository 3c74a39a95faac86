-- A run leaves one receipt per stage, in the table and as a file, a summary and a drift report; all name the run, and every
-- one fits its schema.
-- grain: one row per document that is missing, there twice, of another run, or not as its schema wants it
-- version: 1

with stages as (
    select
        unnest(
            ['collect', 'score', 'export-rag', 'export-sft', 'export-preference', 'extract-playbooks', 'index']
        ) as stage
),

wanted as (
    select 'table' as place, 'stage_receipt' as kind, stage from stages
    union all
    select 'file' as place, 'stage_receipt' as kind, stage from stages
    union all
    select 'file' as place, 'run_summary' as kind, cast(null as varchar) as stage
    union all
    select 'file' as place, 'drift_report' as kind, cast(null as varchar) as stage
),

counted as (
    select place, kind, coalesce(stage, 'all') as stage, 1 as wanted, 0 as found from wanted
    union all
    select place, kind, coalesce(stage, 'all') as stage, 0 as wanted, 1 as found from facts.receipts
)

select
    place,
    kind,
    stage,
    'wanted ' || sum(wanted) || ', found ' || sum(found) as finding
from counted
group by
    place,
    kind,
    stage
having sum(wanted) <> sum(found)

union all

select
    place,
    kind,
    stage,
    coalesce(problem, 'of another run: ' || coalesce(run_id, 'none')) as finding
from facts.receipts
where
    problem is not null
    or coalesce(run_id <> expected_run_id, true)
