-- The sides of a pair belong together: one question, and one task; or one subject, of which two streams speak in two tasks; or
-- one decision.
-- No task and no subject has more than five pairs, though one of each could have.
-- grain: one row per pair that does not, per task or subject with too many, and one if none has as many as it may
-- version: 2

with pairs as (
    select
        file.id,
        case when file.reason = 'cross_stream' then 'subject' when file.reason like 'accepted_over_%' then 'task' end as unit,
        case file.reason when 'cross_stream' then chosen.subject else file.task_id end as name,
        coalesce(
            chosen.task_id = file.task_id
            and trimmed(rejected.instruction) = trimmed(chosen.instruction)
            and not is_blank(chosen.instruction)
            and file.prompt = chosen.instruction
            and file.prompt_match = 'same'
            and file.rejected_prompt = rejected.instruction
            and case file.reason
                when 'settled_discrepancy'
                    then
                        chosen.source = rejected.source
                        and chosen.sig_hash = rejected.sig_hash
                        and chosen.content = file.chosen
                        and chosen.alternative_content = file.rejected
                when 'cross_stream'
                    then
                        chosen.subject = rejected.subject
                        and not is_blank(chosen.subject)
                        and chosen.source <> rejected.source
                        and chosen.task_id <> rejected.task_id
                        and within_days(chosen.occurred_at, rejected.occurred_at, 7)
                else rejected.task_id = file.task_id
            end,
            false
        ) as belongs_together
    from files.preference as file
    left join evidence.records as chosen
        on
            file.provenance.source_file = chosen.source_file
            and file.provenance.line_offset = chosen.line_offset
    left join evidence.records as rejected
        on
            file.rejected_provenance.source_file = rejected.source_file
            and file.rejected_provenance.line_offset = rejected.line_offset
),

units as (
    select unit, name, count(*) as amount
    from pairs
    where unit is not null
    group by unit, name
),

kinds as (
    select unnest(['task', 'subject']) as unit
)

select
    name,
    'do not belong together: ' || id as finding
from pairs
where not belongs_together

union all

select
    name,
    'too many pairs of a ' || unit || ': ' || amount as finding
from units
where amount > 5

union all

select
    cast(null as varchar) as name,
    'no ' || kinds.unit || ' has as many pairs as it may' as finding
from kinds
left join units
    on kinds.unit = units.unit
group by kinds.unit
having coalesce(max(units.amount), 0) < 5
