-- Only a measured improvement counts, never the agent's own claim of success.
-- grain: one row per record
-- version: 1

select
    case
        when verdict = 'success' and events_ok then score('accepted', ['improved'])
        when verdict in ('success', 'no_patch') then score('rejected', ['not_improved'])
        else score('needs_human_review', ['not_evaluated'])
    end as score
from evidence.records as records
where source = 'optimization_runs'
