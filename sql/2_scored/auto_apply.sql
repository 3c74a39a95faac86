-- A patch that stayed in is good; one that had to be reverted is not, be it by a later record of the same task and file that
-- does not repeat the patch; anything else was never tried.
-- grain: one row per record
-- version: 2

with reverts as (
    select
        task_id,
        subject,
        max(occurred_at) as occurred_at
    from evidence.records
    where
        source = 'auto_apply'
        and ends_with(verdict, '_reverted')
        and not is_blank(subject)
    group by
        task_id,
        subject
)

select
    case
        when records.verdict = 'committed' and reverts.occurred_at > records.occurred_at
            then score('rejected', ['reverted_later'])
        when records.verdict = 'committed' then score('accepted', ['committed'])
        when ends_with(records.verdict, '_reverted') then score('rejected', [records.verdict])
        else score('needs_human_review', ['no_verdict'])
    end as score
from evidence.records as records
left join reverts
    on
        records.task_id = reverts.task_id
        and records.subject = reverts.subject
where records.source = 'auto_apply'
