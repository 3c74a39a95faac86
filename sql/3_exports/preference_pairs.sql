-- Every candidate pair, the gate that stops it, and its place among those that pass.
-- grain: one row per candidate pair
-- version: 2

with directions as (
    select distinct
        prompt_key,
        chosen_key,
        rejected_key
    from exports.preference_candidates
    where section < 3
),

sides as (
    select
        pairs.section,
        pairs.unit,
        pairs.kind,
        pairs.preference,
        pairs.chosen_place,
        pairs.rejected_place,
        greatest(pairs.chosen_place, pairs.rejected_place) as outer_place,
        case when pairs.section = 1 and options.pairs <> 'task' then trimmed(chosen.instruction) else '' end as asked,
        pairs.task_id,
        pairs.chosen_source,
        pairs.chosen_sig_hash,
        pairs.rejected_source,
        pairs.rejected_sig_hash,
        chosen.run_id as chosen_run_id,
        chosen.instruction as prompt,
        chosen.content as chosen,
        case pairs.section when 3 then rejected.alternative_run_id else rejected.run_id end as rejected_run_id,
        case pairs.section when 3 then rejected.alternative_content else rejected.content end as rejected,
        contrary.prompt_key is not null as is_contradicted,
        options.max_chars,
        case pairs.section when 1 then options.max_pairs when 2 then 5 end as most
    from exports.preference_candidates as pairs
    inner join evidence.records as chosen
        on
            pairs.chosen_source = chosen.source
            and pairs.chosen_sig_hash = chosen.sig_hash
    inner join evidence.records as rejected
        on
            pairs.rejected_source = rejected.source
            and pairs.rejected_sig_hash = rejected.sig_hash
    left join directions as contrary
        on
            pairs.prompt_key = contrary.prompt_key
            and pairs.chosen_key = contrary.rejected_key
            and pairs.rejected_key = contrary.chosen_key
    cross join run.options as options
),

gated as (
    select
        section,
        unit,
        kind,
        preference,
        chosen_place,
        rejected_place,
        outer_place,
        asked,
        task_id,
        chosen_source,
        chosen_sig_hash,
        rejected_source,
        rejected_sig_hash,
        rejected_run_id,
        most,
        'pref-' || substr(
            sha256(sized(prompt) || chr(31) || sized(chosen) || chr(31) || sized(rejected)), 1, 16
        ) as id,
        case
            when chosen_run_id = rejected_run_id then 'self_pairing'
            when trimmed(chosen) = trimmed(rejected) then 'invalid_preference_pairing'
            when substr(chosen, 1, max_chars) = substr(rejected, 1, max_chars) then 'invalid_preference_pairing'
            when is_contradicted then 'conflicting_verdict'
        end as pair_reason,
        case
            when trimmed(chosen) <> trimmed(rejected) and substr(chosen, 1, max_chars) = substr(rejected, 1, max_chars)
                then ' equal in their first ' || max_chars || ' characters,'
        end as alike
    from sides
),

deduplicated as (
    select
        *,
        case
            when pair_reason is not null then pair_reason
            when
                row_number() over (
                    partition by id, pair_reason is null
                    order by section, unit, kind, outer_place, chosen_place, rejected_place, asked
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
    case reason
        when 'invalid_preference_pairing' then alike
        when 'conflicting_verdict' then ' held against another pair, the other way round,'
    end as note,
    case
        when reason is null and section < 3
            then
                row_number() over (
                    partition by section, unit, reason is null
                    order by kind, outer_place, chosen_place, rejected_place, asked
                ) > most
        else false
    end as is_capped
from deduplicated
