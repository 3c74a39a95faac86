-- Every candidate pair, the gate that stops it, and its place among those that pass.
-- grain: one row per candidate pair
-- version: 1

with sides as (
    select
        pairs.section,
        pairs.unit,
        pairs.kind,
        pairs.preference,
        pairs.chosen_place,
        pairs.rejected_place,
        greatest(pairs.chosen_place, pairs.rejected_place) as outer_place,
        pairs.task_id,
        pairs.chosen_source,
        pairs.chosen_sig_hash,
        pairs.rejected_source,
        pairs.rejected_sig_hash,
        chosen.run_id as chosen_run_id,
        chosen.instruction as prompt,
        chosen.content as chosen,
        case pairs.section when 3 then rejected.alternative_run_id else rejected.run_id end as rejected_run_id,
        case pairs.section when 3 then rejected.alternative_content else rejected.content end as rejected
    from exports.preference_candidates as pairs
    inner join evidence.records as chosen
        on
            pairs.chosen_source = chosen.source
            and pairs.chosen_sig_hash = chosen.sig_hash
    inner join evidence.records as rejected
        on
            pairs.rejected_source = rejected.source
            and pairs.rejected_sig_hash = rejected.sig_hash
),

gated as (
    select
        sides.section,
        sides.unit,
        sides.kind,
        sides.preference,
        sides.chosen_place,
        sides.rejected_place,
        sides.outer_place,
        sides.task_id,
        sides.chosen_source,
        sides.chosen_sig_hash,
        sides.rejected_source,
        sides.rejected_sig_hash,
        sides.rejected_run_id,
        'pref-' || substr(
            sha256(sides.prompt || chr(31) || sides.chosen || chr(31) || sides.rejected), 1, 16
        ) as id,
        case
            when sides.chosen_run_id = sides.rejected_run_id then 'self_pairing'
            when trimmed(sides.chosen) = trimmed(sides.rejected) then 'invalid_preference_pairing'
            when
                substr(sides.chosen, 1, options.max_chars) = substr(sides.rejected, 1, options.max_chars)
                then 'invalid_preference_pairing'
        end as pair_reason,
        case
            when
                trimmed(sides.chosen) <> trimmed(sides.rejected)
                and substr(sides.chosen, 1, options.max_chars) = substr(sides.rejected, 1, options.max_chars)
                then ' equal in their first ' || options.max_chars || ' characters,'
        end as note
    from sides
    cross join run.options as options
),

deduplicated as (
    select
        *,
        case
            when pair_reason is not null then pair_reason
            when
                row_number() over (
                    partition by id, pair_reason is null
                    order by section, unit, kind, outer_place, chosen_place, rejected_place
                ) > 1
                then 'duplicate_id'
        end as reason
    from gated
)

select
    task_id,
    id,
    preference,
    chosen_source,
    chosen_sig_hash,
    rejected_source,
    rejected_sig_hash,
    rejected_run_id,
    reason,
    case when reason = 'invalid_preference_pairing' then note end as note,
    case
        when reason is null and section < 3
            then
                row_number() over (
                    partition by section, unit, reason is null
                    order by kind, outer_place, chosen_place, rejected_place
                ) > 5
        else false
    end as is_capped
from deduplicated
