-- The models whose work on a unit was accepted, those that succeeded most often first.
-- grain: one row per playbook and model
-- version: 1

with successes as (
    select
        playbook_id,
        model_name,
        count(*) as records
    from exports.playbook_records
    where
        category = 'accepted'
        and model_name is not null
    group by
        playbook_id,
        model_name
)

select
    playbook_id,
    model_name,
    records,
    row_number() over (
        partition by playbook_id
        order by records desc, model_name
    ) as place
from successes
