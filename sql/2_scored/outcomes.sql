-- A task whose every event succeeded is good, unless it left signals of a gap.
-- grain: one row per record
-- version: 1

select
    case
        when gap_signals > 0 then score('partially_accepted', ['gap_signals'])
        when events_ok then score('accepted', ['all_events_ok'])
        else score('needs_human_review', ['events_not_ok'])
    end as score
from evidence.records as records
where source = 'outcomes'
