-- The fixture makes every gate stop something: each of the twelve reasons is seen, and no other.
-- grain: one row per reason that is unknown or never given
-- version: 1

with known as (
    select
        unnest([
            'missing_provenance', 'missing_source_run_id', 'empty_content', 'schema_violation', 'unsafe_sft_category',
            'unsafe_rag_category', 'invalid_preference_pairing', 'hallucinated_file_path', 'duplicate_id', 'self_pairing',
            'category_disallowed', 'conflicting_verdict'
        ]) as reason
),

seen as (
    select reason from exports.quarantine
    union
    select reason from lossy.quarantine
)

select
    known.reason as known_reason,
    seen.reason as seen_reason
from known
full outer join seen
    on known.reason = seen.reason
where
    known.reason is null
    or seen.reason is null
