-- A patch that stayed in is good; one that had to be reverted is not; anything else was never tried.
-- grain: one row per record
-- version: 1

select
    case
        when verdict = 'committed' then score('accepted', ['committed'])
        when ends_with(verdict, '_reverted') then score('rejected', [verdict])
        else score('needs_human_review', ['no_verdict'])
    end as score
from evidence.records as records
where source = 'auto_apply'
