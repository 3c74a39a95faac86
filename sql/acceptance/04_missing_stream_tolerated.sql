-- A run that lacks half of the streams passes, and makes the same evidence of the others.
-- grain: one row if the run failed, and one per record that only one of the two runs has
-- version: 1

with records as (
    select
        evidence.source_file,
        evidence.line_offset,
        evidence.sig_hash,
        1 as amount
    from evidence.records as evidence
    inner join without.files as files
        on evidence.source_file = files.source_file

    union all

    select
        source_file,
        line_offset,
        sig_hash,
        -1 as amount
    from without.records
)

select
    source_file,
    line_offset,
    'only in one of the runs' as finding
from records
group by
    source_file,
    line_offset,
    sig_hash
having sum(amount) <> 0

union all

select
    cast(null as varchar) as source_file,
    cast(null as bigint) as line_offset,
    'the run failed: ' || coalesce(error, '') as finding
from facts.runs
where
    name = 'without'
    and not passed
