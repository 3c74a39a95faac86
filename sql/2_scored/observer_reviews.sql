-- The observer's word decides.
-- grain: one row per record
-- version: 1

select
    case verdict
        when 'accept' then score('accepted', ['observer_accept'])
        when 'reject' then score('rejected', ['observer_reject'])
        when 'cycle' then score('partially_accepted', ['observer_cycle'])
        else score('needs_human_review', ['no_verdict'])
    end as score
from evidence.records as records
where source = 'observer_reviews'
