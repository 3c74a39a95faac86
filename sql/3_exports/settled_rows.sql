-- Records in which somebody held two answers against each other and decided: both stand in one record.
-- grain: one row per accepted record with an alternative
-- version: 1

with settled as (
    select
        gates.source,
        gates.run_id,
        gates.task_id,
        gates.occurred_at,
        gates.source_file,
        gates.line_offset,
        gates.sig_hash,
        case
            when gates.reason is null and is_blank(records.alternative_run_id) then 'missing_source_run_id'
            else gates.reason
        end as reason,
        case
            when gates.reason is null and is_blank(records.alternative_run_id) then 'what was decided against names no run'
            else gates.detail
        end as detail
    from exports.preference_gates as gates
    inner join evidence.records as records
        on
            gates.source = records.source
            and gates.sig_hash = records.sig_hash
    where
        gates.category = 'accepted'
        and not is_blank(records.instruction)
        and not is_blank(records.content)
        and not is_blank(records.alternative_content)
)

select
    source,
    run_id,
    task_id,
    occurred_at,
    source_file,
    line_offset,
    sig_hash,
    reason,
    detail,
    row_number() over (
        partition by reason is null
        order by occurred_at, sig_hash, source
    ) as place
from settled
