-- What was extracted from a task is worth what that task's own records were judged to be, but never all of it: a borrowed
-- verdict is not a whole one.
-- grain: one row per record
-- version: 2

with parents as (
    select
        task_id,
        count(case when category = 'accepted' then 1 end) as accepted,
        count(case when category = 'rejected' then 1 end) as rejected,
        count(*) as judged
    from scored.runs
    where
        source in ('scrum_reviews', 'observer_reviews', 'audits', 'contract_analyses', 'auto_apply')
        and category <> 'needs_human_review'
    group by task_id
)

select
    case
        when parents.judged is null then score('needs_human_review', ['no_parent_verdict'])
        when parents.accepted = parents.judged then score('partially_accepted', ['parent_accepted'])
        when parents.accepted = 0 and parents.rejected > 0 then score('rejected', ['parent_rejected'])
        else score('partially_accepted', ['parents_mixed'])
    end as score
from evidence.records as records
left join parents
    on records.task_id = parents.task_id
where
    records.source in (
        'audit_facts', 'distilled_facts', 'distilled_procedures', 'distilled_config_hints', 'observer_escalations'
    )
