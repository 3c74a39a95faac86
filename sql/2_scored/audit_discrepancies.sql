-- A discrepancy counts as settled where a person, a test or a tool settled it, or somebody on the list of settlers; never where
-- one of the two that disagree did. Whoever else is named may be a model.
-- grain: one row per record
-- version: 2

with listed as (
    select distinct 'settled_by:' || as_word(name) as marker
    from run.settlers
)

select
    case
        when coalesce(records.verdict not in ('a', 'b'), true) then score('needs_human_review', ['unsettled'])
        when array_length(records.failure_markers) > 0 then score('needs_human_review', ['unsettled'])
        when
            array_to_string(records.success_markers, '') like 'settled_by:person:%'
            or array_to_string(records.success_markers, '') like 'settled_by:test:%'
            or array_to_string(records.success_markers, '') like 'settled_by:tool:%'
            or listed.marker is not null
            then score('accepted', ['settled'])
        else score('needs_human_review', ['unsettled'])
    end as score
from evidence.records as records
left join listed
    on array_to_string(records.success_markers, '') = listed.marker
where records.source = 'audit_discrepancies'
