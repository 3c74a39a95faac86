-- An answer is worth the share of it that is grounded; an empty one nothing, a slow one less.
-- grain: one row per record
-- version: 1

select
    case
        when is_blank(content) then score('rejected', ['empty_text'])
        when latency_ms > 120000 then score('partially_accepted', ['slow'])
        when grounded_fraction is null then score('needs_human_review', ['no_verdict'])
        when grounded_fraction >= 0.8 then score('accepted', ['grounded'])
        when grounded_fraction >= 0.5 then score('partially_accepted', ['partly_grounded'])
        else score('rejected', ['ungrounded'])
    end as score
from evidence.records as records
where source = 'mode_experiments'
