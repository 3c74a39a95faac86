-- The tasks that preference decides again: those in `run.tasks`; those that accepted a text which stands in one of them,
-- for only their pairs can have the same id; and those that share a subject with one of them, with verdicts of either kind
-- from more than one stream. Asked again with its own answer until no task joins.
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

judged as (
    select
        runs.source,
        runs.category,
        runs.task_id,
        texts.subject
    from scored.runs as runs
    inner join exports.texts as texts
        on
            runs.source = texts.source
            and runs.sig_hash = texts.sig_hash
    inner join touched_subjects
        on texts.subject = touched_subjects.subject
    where runs.category in ('accepted', 'rejected')
),

shared_subjects as (
    select subject
    from judged
    group by subject
    having
        min(category) <> max(category)
        and min(source) <> max(source)
)

select runs.task_id
from scored.runs as runs
inner join exports.texts as texts
    on
        runs.source = texts.source
        and runs.sig_hash = texts.sig_hash
inner join ids
    on texts.sft_id = ids.id
where runs.category = 'accepted'

union

select judged.task_id
from judged
inner join shared_subjects
    on judged.subject = shared_subjects.subject

union

select task_id
from run.tasks
