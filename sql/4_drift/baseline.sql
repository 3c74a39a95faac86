-- The ten numbers that audits keep.
-- grain: one row in all
-- version: 1

with records as (
    select count(*) as amount from evidence.records
),

skips as (
    select count(*) as amount from evidence.skips
),

scores as (
    select
        count(case when category = 'accepted' then 1 end) as accepted,
        count(case when category = 'partially_accepted' then 1 end) as partially_accepted,
        count(case when category = 'rejected' then 1 end) as rejected,
        count(case when category = 'needs_human_review' then 1 end) as needs_human_review
    from scored.runs
),

rag as (
    select count(*) as amount from exports.rag
),

sft as (
    select count(*) as amount from exports.sft
),

preference as (
    select count(*) as amount from exports.preference
),

quarantine as (
    select count(*) as amount from exports.quarantine
)

select
    records.amount as p2_evidence_rows,
    skips.amount as p2_skipped,
    scores.accepted as p3_accepted,
    scores.partially_accepted as p3_partially_accepted,
    scores.rejected as p3_rejected,
    scores.needs_human_review as p3_needs_human_review,
    rag.amount as p4_rag_rows,
    sft.amount as p4_sft_rows,
    preference.amount as p4_preference_pairs,
    quarantine.amount as p4_total_quarantined
from records
cross join skips
cross join scores
cross join rag
cross join sft
cross join preference
cross join quarantine
