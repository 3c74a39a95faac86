-- A comment is good if the judge found that it names a real defect; missed defects have no comment to judge.
-- grain: one row per record
-- version: 1

select
    case verdict
        when 'true_positive' then score('accepted', ['judged_true_positive'])
        when 'false_positive' then score('rejected', ['judged_false_positive'])
        else score('needs_human_review', ['no_verdict'])
    end as score
from evidence.records as records
where source = 'code_reviews'
