-- A second run over the same input writes to no table and to no file, and says of every stage that it is unchanged.
-- grain: one row per stage, table or file that the second run touched
-- version: 1

with versions as (
    select name, 'table ' || table_name as thing, cast(delta_version as varchar) as state from facts.versions
    union all
    select name, 'file ' || path as thing, sha256 as state from facts.files
),

first_run as (
    select thing, state from versions where name = 'main'
),

second_run as (
    select thing, state from versions where name = 'again'
)

select
    coalesce(first_run.thing, second_run.thing) as thing,
    first_run.state as before,
    second_run.state as after
from first_run
full outer join second_run
    on first_run.thing = second_run.thing
where coalesce(first_run.state <> second_run.state, true)

union all

select
    'stage ' || stage as thing,
    'unchanged' as before,
    status as after
from facts.stages
where
    name = 'again'
    and status <> 'unchanged'
