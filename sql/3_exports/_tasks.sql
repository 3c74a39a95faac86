-- The tasks with which preference begins to decide again: those of records that a change touched, and those that accepted
-- something about a subject of a changed record, if more than one stream speaks of it. A record that lost its verdict leaves
-- its place among those of its subject to others, of its own stream too.
-- grain: one row per task
-- version: 1

with changed_subjects as (
    select distinct texts.subject
    from exports.texts as texts
    inner join run.changed as changed
        on
            texts.source = changed.source
            and texts.sig_hash = changed.sig_hash
    where texts.subject is not null
),

shared_subjects as (
    select texts.subject
    from exports.texts as texts
    inner join changed_subjects
        on texts.subject = changed_subjects.subject
    group by texts.subject
    having min(texts.source) <> max(texts.source)
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
inner join shared_subjects
    on texts.subject = shared_subjects.subject
where runs.category = 'accepted'
