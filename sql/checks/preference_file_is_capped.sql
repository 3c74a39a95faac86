-- No task has more pairs in the preference file than the switches let out, and no subject more than five.
-- grain: one row per task or subject with too many
-- version: 1
-- stage: export-preference

with pairs as (
    select
        file.task_id,
        file.reason,
        place_hash(file.provenance.source_file, file.provenance.line_offset, file.provenance.sig_hash) as place
    from files.preference as file
),

units as (
    select
        task_id as name,
        count(*) as amount,
        max(options.max_pairs) as most
    from pairs
    cross join run.options as options
    where reason in ('accepted_over_rejected', 'accepted_over_partially_accepted')
    group by task_id

    union all

    select
        min(pairs.task_id) as name,
        count(*) as amount,
        5 as most
    from pairs
    inner join run.vouched as vouched
        on pairs.place = vouched.place
    where pairs.reason = 'cross_stream'
    group by vouched.subject
)

select
    name,
    amount,
    most
from units
where amount > most
