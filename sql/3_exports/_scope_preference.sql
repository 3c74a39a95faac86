-- The tasks that preference decides again: those in `run.tasks`; those that accepted a text which stands in one of them,
-- for only their pairs can have the same id; and those that share a subject with one of them, with verdicts of either kind
-- from more than one stream. Asked again with its own answer until no task joins. The few texts near to these tasks are a
-- group, so that they are found before all scores are looked at.
-- grain: one row per task
-- version: 1

with members as (
    select
        runs.category,
        texts.sft_id,
        texts.subject
    from scored.runs as runs
    inner join run.tasks as tasks
        on runs.task_id = tasks.task_id
    inner join exports.texts as texts
        on
            runs.source = texts.source
            and runs.sig_hash = texts.sig_hash
),

ids as (
    select distinct sft_id as id
    from members
),

touched_subjects as (
    select distinct subject
    from members
    where
        subject is not null
        and category in ('accepted', 'rejected')
),

near as (
    select
        texts.source,
        texts.sig_hash,
        max(ids.id) as id,
        max(touched_subjects.subject) as subject
    from exports.texts as texts
    left join ids
        on texts.sft_id = ids.id
    left join touched_subjects
        on texts.subject = touched_subjects.subject
    where
        ids.id is not null
        or touched_subjects.subject is not null
    group by
        texts.source,
        texts.sig_hash
),

judged as (
    select
        runs.source,
        runs.category,
        runs.task_id,
        near.id,
        near.subject
    from scored.runs as runs
    inner join near
        on
            runs.source = near.source
            and runs.sig_hash = near.sig_hash
    where runs.category in ('accepted', 'rejected')
),

shared_subjects as (
    select subject
    from judged
    where subject is not null
    group by subject
    having
        min(category) <> max(category)
        and min(source) <> max(source)
)

select task_id
from judged
where
    id is not null
    and category = 'accepted'

union

select judged.task_id
from judged
inner join shared_subjects
    on judged.subject = shared_subjects.subject

union

select task_id
from run.tasks
