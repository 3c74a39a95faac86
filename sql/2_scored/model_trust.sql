-- What a call is worth says whoever looked at its answer. That a call went through says nothing about the answer.
-- grain: one row per record
-- version: 1

select
    case
        when verdict in ('down', 'thumbs_down', '-1', 'false') then score('rejected', ['thumb_down'])
        when not events_ok then score('rejected', ['call_failed'])
        when verdict in ('up', 'thumbs_up', '1', '+1', 'true') then score('accepted', ['thumb_up'])
        else score('needs_human_review', ['no_verdict'])
    end as score
from evidence.records as records
where source = 'model_trust'
