-- The tasks that preference decides again: those in `run.tasks`, and those that accepted a text which stands in one of
-- them: only their pairs can have the same id. Asked again with its own answer until no task joins.
-- grain: one row per task
-- version: 1

with ids as (
    select distinct texts.sft_id as id
    from scored.runs as runs
    inner join run.tasks as tasks
        on runs.task_id = tasks.task_id
    inner join exports.texts as texts
        on
            runs.source = texts.source
            and runs.sig_hash = texts.sig_hash
),

twins as (
    select
        texts.source,
        texts.sig_hash
    from exports.texts as texts
    inner join ids
        on texts.sft_id = ids.id
)

select runs.task_id
from scored.runs as runs
inner join twins
    on
        runs.source = twins.source
        and runs.sig_hash = twins.sig_hash
where runs.category = 'accepted'

union

select task_id
from run.tasks
