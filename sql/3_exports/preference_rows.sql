-- The records of tasks that have something to prefer: their row gate, and their place among the survivors.
-- grain: one row per record that takes part
-- version: 1

with tasks as (
    select task_id
    from exports.preference_gates
    group by task_id
    having
        count(case when category = 'accepted' then 1 end) > 0
        and count(case when category in ('rejected', 'partially_accepted') then 1 end) > 0
)

select
    gates.source,
    gates.run_id,
    gates.task_id,
    gates.occurred_at,
    gates.category,
    gates.source_file,
    gates.line_offset,
    gates.sig_hash,
    gates.reason,
    gates.detail,
    row_number() over (
        partition by gates.task_id, gates.category, gates.reason is null
        order by gates.occurred_at, gates.sig_hash, gates.source
    ) as place
from exports.preference_gates as gates
inner join tasks
    on gates.task_id = tasks.task_id
