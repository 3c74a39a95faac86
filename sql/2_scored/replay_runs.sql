-- An answer that the gate refused is bad. One that passed is not yet good: what a test, a merge or a person says of its task
-- decides. A record that names a model, or names one in a way that can't be read, is a model's word, and so is one of the
-- replay's own run: neither counts, whatever its stream.
-- grain: one row per record
-- version: 2

with answers as (
    select
        source,
        sig_hash,
        task_id,
        occurred_at
    from evidence.records
    where source = 'replay_runs'
),

own_runs as (
    select distinct run_id
    from evidence.records
    where
        source = 'replay_runs'
        and run_id is not null
),

outside as (
    select
        records.task_id,
        records.occurred_at,
        runs.category
    from scored.runs as runs
    inner join evidence.records as records
        on
            runs.source = records.source
            and runs.sig_hash = records.sig_hash
    left join own_runs
        on records.run_id = own_runs.run_id
    where
        runs.category <> 'needs_human_review'
        and runs.source in (
            'outcomes', 'auto_apply', 'agent_checkpoints', 'scrum_reviews', 'observer_reviews', 'audits'
        )
        and is_blank(records.model_name)
        and is_blank(records.model_provider)
        and not has_item(records.mistyped_fields, 'model')
        and not has_item(records.mistyped_fields, 'provider')
        and own_runs.run_id is null
),

tasks as (
    select distinct task_id
    from answers
),

moments as (
    select
        '' as source,
        '' as sig_hash,
        outside.task_id,
        outside.occurred_at,
        count(case when outside.category = 'accepted' then 1 end) as accepted,
        count(case when outside.category = 'rejected' then 1 end) as rejected,
        count(*) as judged
    from outside
    inner join tasks
        on outside.task_id = tasks.task_id
    group by
        outside.task_id,
        outside.occurred_at

    union all

    select
        source,
        sig_hash,
        task_id,
        occurred_at,
        0 as accepted,
        0 as rejected,
        0 as judged
    from answers
),

verdicts as (
    select
        source,
        sig_hash,
        sum(accepted) over (partition by task_id order by occurred_at desc, source, sig_hash) as accepted,
        sum(rejected) over (partition by task_id order by occurred_at desc, source, sig_hash) as rejected,
        sum(judged) over (partition by task_id order by occurred_at desc, source, sig_hash) as judged
    from moments
)

select
    case
        when records.verdict = 'refused' then score('rejected', ['gate_refused'])
        when records.verdict <> 'passed' or records.verdict is null then score('needs_human_review', ['no_verdict'])
        when verdicts.judged = 0 then score('needs_human_review', ['gate_is_no_proof'])
        when verdicts.accepted = verdicts.judged then score('accepted', ['confirmed_outside'])
        when verdicts.accepted = 0 and verdicts.rejected > 0 then score('rejected', ['refuted_outside'])
        else score('partially_accepted', ['outside_mixed'])
    end as score
from evidence.records as records
left join verdicts
    on
        records.source = verdicts.source
        and records.sig_hash = verdicts.sig_hash
where records.source = 'replay_runs'
