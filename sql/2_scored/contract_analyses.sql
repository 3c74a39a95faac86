-- One failure marker condemns an analysis; otherwise the observer's word decides.
-- grain: one row per record
-- version: 1

select
    case
        when array_length(failure_markers) > 0
            then score('rejected', list_transform(failure_markers, lambda marker: 'failure_marker:' || marker))
        when verdict = 'accept' then score('accepted', ['observer_accept'])
        when verdict = 'reject' then score('rejected', ['observer_reject'])
        when verdict = 'cycle' then score('partially_accepted', ['observer_cycle'])
        else score('needs_human_review', ['no_verdict'])
    end as score
from evidence.records as records
where source = 'contract_analyses'
