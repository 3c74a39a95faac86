-- Pairs that passed every gate, but came after the last that their task or subject may have: counted, not exported.
-- grain: one row per capped pair
-- version: 2

select
    task_id,
    id,
    preference as reason,
    chosen_source,
    chosen_sig_hash,
    rejected_source,
    rejected_sig_hash
from exports.preference_pairs
where
    reason is null
    and is_capped
