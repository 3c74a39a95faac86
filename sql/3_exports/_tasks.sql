-- The tasks with which preference begins to decide again: those of records that a change touched, and those that accepted
-- or rejected something about a subject of a changed record, if more than one stream speaks of it. A record that lost its
-- verdict leaves its place among those of its subject to others, of its own stream too. Tasks are numbers here.
-- grain: one row per task
-- version: 2

with changed_subjects as (
    select distinct keys.subject
    from exports.keys as keys
    inner join run.changed as changed
        on keys.record = pair_hash(changed.source, changed.sig_hash)
    where keys.subject is not null
),

spoken as (
    select
        keys.source,
        keys.task,
        keys.category,
        keys.subject
    from exports.keys as keys
    inner join changed_subjects
        on keys.subject = changed_subjects.subject
),

shared_subjects as (
    select subject
    from spoken
    group by subject
    having min(source) <> max(source)
)

select task
from run.touched
where task is not null

union

select spoken.task
from spoken
inner join shared_subjects
    on spoken.subject = shared_subjects.subject
where
    spoken.category in ('accepted', 'rejected')
    and spoken.task is not null
