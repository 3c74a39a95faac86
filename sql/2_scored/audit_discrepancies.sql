-- A discrepancy counts as settled when anything but a model settled it: a test, a merge, a person.
-- A model is who says so (`model`, `model:gpt`, `llm-judge`), or one of the two that disagree.
-- grain: one row per record
-- version: 1

select
    case
        when coalesce(verdict not in ('a', 'b'), true) then score('needs_human_review', ['unsettled'])
        when array_length(failure_markers) > 0 then score('needs_human_review', ['unsettled'])
        when array_to_string(success_markers, '') like 'settled_by:model%' then score('needs_human_review', ['unsettled'])
        when array_to_string(success_markers, '') like 'settled_by:llm%' then score('needs_human_review', ['unsettled'])
        when array_to_string(success_markers, '') like 'settled_by:%' then score('accepted', ['settled'])
        else score('needs_human_review', ['unsettled'])
    end as score
from evidence.records as records
where source = 'audit_discrepancies'
