-- What to verify: lines that begin with one of five verbs, each once however it is spelled, in order of how many share it.
-- grain: one row per playbook and step
-- version: 1

with steps as (
    select
        playbook_id,
        id,
        created_at,
        unnest(steps_of(content)) as step
    from exports.rag
    where source_category in ('accepted', 'partially_accepted')
),

keyed as (
    select
        *,
        spelling_key(step) as step_key
    from steps
),

spelled as (
    select
        *,
        row_number() over (
            partition by playbook_id, step_key
            order by created_at, id, step
        ) as spelling
    from keyed
    where step_key <> first_word(step)
),

shared as (
    select
        playbook_id,
        step_key,
        count(distinct id) as records,
        min(created_at) as first_seen_at,
        min(case spelling when 1 then step end) as step,
        min(case spelling when 1 then id end) as id
    from spelled
    group by
        playbook_id,
        step_key
)

select
    playbook_id,
    step,
    records,
    id,
    row_number() over (
        partition by playbook_id
        order by records desc, first_seen_at, step, step_key
    ) as place
from shared
