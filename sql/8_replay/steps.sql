-- Lines of retrieved rows that say what to verify, each once however it is spelled, in the order of the rows.
-- grain: one row per step
-- version: 1

with steps as (
    select
        place,
        id,
        unnest(steps_of(content)) as step
    from run.retrieved
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
