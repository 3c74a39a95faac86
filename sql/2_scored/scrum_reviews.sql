-- A review counts for as much as it needed attempts to be accepted.
-- grain: one row per record
-- version: 1

select
    case
        when verdict = 'rejected' then score('rejected', ['review_not_accepted'])
        when attempts = 1 then score('accepted', ['accepted_on_attempt_1'])
        when attempts between 2 and 3 then score('partially_accepted', ['accepted_on_attempt_' || attempts])
        when attempts >= 4 then score('partially_accepted', ['accepted_on_attempt_' || attempts, 'high_cost'])
        else score('needs_human_review', ['no_verdict'])
    end as score
from evidence.records as records
where source = 'scrum_reviews'
