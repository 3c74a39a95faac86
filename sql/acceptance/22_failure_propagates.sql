-- A run with a planted leak fails with exit code 1, publishes nothing, and leaves the files on disk as they were.
-- grain: one row if the run passed, and one per table or file that it changed
-- version: 1

with states as (
    select name, 'table ' || table_name as thing, cast(delta_version as varchar) as state from facts.versions
    union all
    select name, 'file ' || path as thing, sha256 as state from facts.files
),

earlier as (
    select thing, state from states where name = 'again'
),

later as (
    select thing, state from states where name = 'leak'
)

select
    coalesce(earlier.thing, later.thing) as thing,
    earlier.state as before,
    later.state as after
from earlier
full outer join later
    on earlier.thing = later.thing
where coalesce(earlier.state <> later.state, true)

union all

select
    'the run ' || run_id as thing,
    'exit code 1' as before,
    'exit code ' || exit_code as after
from facts.runs
where
    name = 'leak'
    and (passed or exit_code <> 1)
