-- Every candidate pair of a task, the gate that stops it, and its place among those that pass.
-- grain: one row per candidate pair
-- version: 1

with considered as (
    select
        rows.task_id,
        rows.category,
        rows.place,
        rows.source,
        rows.sig_hash,
        records.run_id,
        records.instruction,
        records.content
    from exports.preference_rows as rows
    inner join evidence.records as records
        on
            rows.source = records.source
            and rows.sig_hash = records.sig_hash
    where
        rows.reason is null
        and rows.place <= 10
),

paired as (
    select
        chosen.task_id,
        case rejected.category when 'rejected' then 1 else 2 end as kind,
        greatest(chosen.place, rejected.place) as outer_place,
        chosen.place as chosen_place,
        rejected.place as rejected_place,
        chosen.source as chosen_source,
        chosen.sig_hash as chosen_sig_hash,
        rejected.source as rejected_source,
        rejected.sig_hash as rejected_sig_hash,
        'pref-' || substr(
            sha256(chosen.instruction || chr(31) || chosen.content || chr(31) || rejected.content), 1, 16
        ) as id,
        case
            when chosen.run_id = rejected.run_id then 'self_pairing'
            when trimmed(chosen.content) = trimmed(rejected.content) then 'invalid_preference_pairing'
        end as pair_reason
    from considered as chosen
    inner join considered as rejected
        on
            chosen.task_id = rejected.task_id
            and chosen.category = 'accepted'
            and rejected.category in ('rejected', 'partially_accepted')
),

deduplicated as (
    select
        *,
        case
            when pair_reason is not null then pair_reason
            when
                row_number() over (
                    partition by id, pair_reason is null
                    order by task_id, kind, outer_place, chosen_place, rejected_place
                ) > 1
                then 'duplicate_id'
        end as reason
    from paired
)

select
    task_id,
    id,
    case kind when 1 then 'accepted_over_rejected' else 'accepted_over_partially_accepted' end as preference,
    chosen_source,
    chosen_sig_hash,
    rejected_source,
    rejected_sig_hash,
    reason,
    case
        when reason is null
            then
                row_number() over (
                    partition by task_id, reason is null
                    order by kind, outer_place, chosen_place, rejected_place
                ) > 5
        else false
    end as is_capped
from deduplicated
