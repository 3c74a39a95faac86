-- Evidence holds every object with a time and a task, and none without: those are skipped, each with its reason.
-- grain: one row per object on the wrong side, or there for another reason
-- version: 1

with written as (
    select
        source_file,
        line_offset,
        case
            when expected in ('missing_timestamp', 'invalid_timestamp', 'schema_violation') then expected
            else 'record'
        end as outcome
    from fixture.lines
    where
        expected in (
            'missing_timestamp', 'invalid_timestamp', 'schema_violation', 'accepted', 'partially_accepted', 'rejected',
            'needs_human_review'
        )
),

made as (
    select
        source_file,
        line_offset,
        case when is_blank(task_id) or occurred_at is null then 'unreadable record' else 'record' end as outcome
    from evidence.records

    union all

    select
        source_file,
        line_offset,
        reason as outcome
    from evidence.skips
    where reason in ('missing_timestamp', 'invalid_timestamp', 'schema_violation')
)

select
    coalesce(written.source_file, made.source_file) as source_file,
    coalesce(written.line_offset, made.line_offset) as line_offset,
    written.outcome as expected,
    made.outcome as found
from written
full outer join made
    on
        written.source_file = made.source_file
        and written.line_offset = made.line_offset
where coalesce(written.outcome <> made.outcome, true)
