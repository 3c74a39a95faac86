-- The tasks with which preference begins to decide again: those of records that a change touched, and those that accepted
-- something about a subject of a changed record, if more than one stream speaks of it. A record that lost its verdict leaves
-- its place among those of its subject to others, of its own stream too.
-- grain: one row per task
-- version: 1

with changed_subjects as (
    select distinct touched.subject
    from run.touched as touched
    inner join run.changed as changed
        on
            touched.source = changed.source
            and touched.sig_hash = changed.sig_hash
    where touched.subject is not null
),

spoken as (
    select
        texts.source,
        texts.sig_hash,
        texts.subject
    from exports.texts as texts
    inner join changed_subjects
        on texts.subject = changed_subjects.subject
),

shared_subjects as (
    select subject
    from spoken
    group by subject
    having min(source) <> max(source)
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
inner join spoken
    on
        runs.source = spoken.source
        and runs.sig_hash = spoken.sig_hash
inner join shared_subjects
    on spoken.subject = shared_subjects.subject
where runs.category = 'accepted'
