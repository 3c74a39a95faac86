-- Work that reached the main branch was good enough for its owners.
-- grain: one row per record
-- version: 1

select
    case verdict
        when 'merged_main' then score('accepted', ['merged'])
        when 'branch_only' then score('partially_accepted', ['branch_only'])
        when 'no_commit' then score('needs_human_review', ['no_commit'])
        else score('needs_human_review', ['no_verdict'])
    end as score
from evidence.records as records
where source = 'agent_checkpoints'
