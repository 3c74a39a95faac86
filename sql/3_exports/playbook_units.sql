-- What is known of one unit of work: the steps to verify, good examples, warnings, and the models that succeeded.
-- grain: one row per playbook
-- version: 1

with totals as (
    select
        playbook_id,
        min(title) as title,
        count(case category when 'accepted' then 1 end) as accepted,
        count(case category when 'partially_accepted' then 1 end) as partially_accepted,
        min(created_at) as first_seen_at,
        max(created_at) as last_seen_at,
        sha256(array_to_string(in_order(id, id || ' ' || category), chr(10))) as evidence_sha256
    from exports.playbook_records
    group by playbook_id
),

steps as (
    select
        playbook_id,
        max(place) as steps_in_all,
        in_order(place, case when place <= 20 then {'step': step, 'records': records, 'id': id} end) as steps
    from exports.playbook_steps
    group by playbook_id
),

models as (
    select
        playbook_id,
        in_order(place, case when place <= 10 then {'model_name': model_name, 'records': records} end) as models
    from exports.playbook_models
    group by playbook_id
),

examples as (
    select
        playbook_id,
        category,
        place,
        {
            'id': id,
            'created_at': created_at,
            'model_name': model_name,
            'reasons': reasons,
            'summary': summary,
            'source_file': source_file,
            'line_offset': line_offset,
            'sig_hash': sig_hash
        } as example
    from exports.playbook_records
    where place <= 5
),

sides as (
    select
        playbook_id,
        in_order(place, case category when 'accepted' then example end) as exemplars,
        in_order(place, case category when 'partially_accepted' then example end) as warnings
    from examples
    group by playbook_id
)

select
    totals.playbook_id,
    totals.title,
    totals.accepted,
    totals.partially_accepted,
    totals.first_seen_at,
    totals.last_seen_at,
    totals.evidence_sha256,
    coalesce(steps.steps, []) as steps,
    coalesce(steps.steps_in_all, 0) as steps_in_all,
    sides.exemplars,
    sides.warnings,
    coalesce(models.models, []) as models
from totals
inner join sides
    on totals.playbook_id = sides.playbook_id
left join steps
    on totals.playbook_id = steps.playbook_id
left join models
    on totals.playbook_id = models.playbook_id
