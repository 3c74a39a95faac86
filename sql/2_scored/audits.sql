-- The milder the finding, the better the audited work; older rows carry a verdict instead of a severity.
-- grain: one row per record
-- version: 1

select
    case
        when severity in ('info', 'low') then score('accepted', ['severity_' || severity])
        when severity = 'medium' then score('partially_accepted', ['severity_medium'])
        when severity in ('high', 'critical') then score('rejected', ['severity_' || severity])
        when verdict = 'pass' then score('accepted', ['legacy_pass'])
        when verdict = 'warn' then score('partially_accepted', ['legacy_warn'])
        when verdict = 'fail' then score('rejected', ['legacy_fail'])
        else score('needs_human_review', ['no_verdict'])
    end as score
from evidence.records as records
where source = 'audits'
