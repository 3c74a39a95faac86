-- The tasks that preference decides again: those in `run.tasks`; those that accepted, as an answer to a question asked in one
-- of them, a text that stands in one of them, for only their pairs can have the same id, or say the contrary; and those that
-- share a subject with one of them, with verdicts of either kind from more than one stream. Asked again with its own answer
-- until no task joins. Tasks are numbers here.
-- grain: one row per task
-- version: 2

with members as (
    select
        keys.category,
        keys.question,
        keys.content,
        keys.subject
    from exports.keys as keys
    inner join run.tasks as tasks
        on keys.task = tasks.task
),

questions as (
    select distinct question
    from members
),

contents as (
    select distinct content
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
        keys.source,
        keys.category,
        keys.task,
        questions.question is not null and contents.content is not null as may_repeat,
        touched_subjects.subject
    from exports.keys as keys
    left join questions
        on keys.question = questions.question
    left join contents
        on keys.content = contents.content
    left join touched_subjects
        on keys.subject = touched_subjects.subject
    where
        keys.category in ('accepted', 'rejected')
        and (
            (questions.question is not null and contents.content is not null)
            or touched_subjects.subject is not null
        )
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

select task
from judged
where
    may_repeat
    and category = 'accepted'
    and task is not null

union

select judged.task
from judged
inner join shared_subjects
    on judged.subject = shared_subjects.subject
where judged.task is not null

union

select task
from run.tasks
