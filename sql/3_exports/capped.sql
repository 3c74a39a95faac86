-- Pairs that passed every gate, but came after the fifth of their task, or of their subject: counted, not exported.
-- grain: one row per capped pair
-- version: 1

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
