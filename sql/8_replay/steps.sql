-- Lines of retrieved rows that say what to verify, each once however it is spelled, in the order of the rows.
-- grain: one row per step
-- version: 1

with lines as (
    select
        place,
        id,
        unnest(lines(content)) as line
    from run.retrieved
),

unmarked as (
    select
        place,
        id,
        unmarked(line) as line
    from lines
    where mentions(line, 'verify|check|assert|ensure|confirm')
),

steps as (
    select distinct
        place,
        id,
        cut(line, 300) as step
    from unmarked
    where first_word(line) in ('verify', 'check', 'assert', 'ensure', 'confirm')
),

numbered as (
    select
        place,
        id,
        step,
        row_number() over (
            partition by spelling_key(step)
            order by place, step
        ) as spelling
    from steps
    where spelling_key(step) <> first_word(step)
)

select
    place,
    id,
    step
from numbered
where spelling = 1
