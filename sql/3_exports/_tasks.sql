-- The tasks with which preference begins to decide again: those of records that a change touched, and of accepted ones that
-- may have been paired across streams with a record that changed.
-- grain: one row per task
-- version: 1

with subjects as (
    select distinct
        texts.subject,
        texts.source
    from exports.texts as texts
    inner join run.changed as changed
        on
            texts.source = changed.source
            and texts.sig_hash = changed.sig_hash
    where texts.subject is not null
)

select runs.task_id
from scored.runs as runs
inner join run.touched as touched
    on
        runs.source = touched.source
        and runs.sig_hash = touched.sig_hash

union

select runs.task_id
from scored.runs as runs
inner join exports.texts as texts
    on
        runs.source = texts.source
        and runs.sig_hash = texts.sig_hash
inner join subjects
    on
        texts.subject = subjects.subject
        and texts.source <> subjects.source
where runs.category = 'accepted'
