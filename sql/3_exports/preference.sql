-- Preference pairs: what was accepted beside what was not, for one task, about one subject, or in one decision.
-- grain: one row per exported pair
-- version: 2

select
    cast(1 as integer) as schema_version,
    pairs.id,
    chosen.instruction as prompt,
    chosen.content as chosen,
    case pairs.preference
        when 'settled_discrepancy' then rejected.alternative_content
        else rejected.content
    end as rejected,
    pairs.preference as reason,
    chosen.run_id as chosen_run_id,
    pairs.rejected_run_id,
    chosen.task_id,
    chosen.occurred_at as created_at,
    {
        'source_file': chosen.source_file,
        'line_offset': chosen.line_offset,
        'sig_hash': chosen.sig_hash,
        'recorded_at': chosen.recorded_at
    } as provenance,
    {
        'source_file': rejected.source_file,
        'line_offset': rejected.line_offset,
        'sig_hash': rejected.sig_hash,
        'recorded_at': rejected.recorded_at
    } as rejected_provenance,
    case
        when is_blank(rejected.instruction) then 'blank'
        when trimmed(rejected.instruction) = trimmed(chosen.instruction) then 'same'
        else 'other'
    end as prompt_match,
    rejected.instruction as rejected_prompt
from exports.preference_pairs as pairs
inner join evidence.records as chosen
    on
        pairs.chosen_source = chosen.source
        and pairs.chosen_sig_hash = chosen.sig_hash
inner join evidence.records as rejected
    on
        pairs.rejected_source = rejected.source
        and pairs.rejected_sig_hash = rejected.sig_hash
where
    pairs.reason is null
    and not pairs.is_capped
order by pairs.id
