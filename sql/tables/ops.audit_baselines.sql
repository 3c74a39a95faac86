-- What every audit found. Rows are only ever added, and each names a hash over all before it.
-- grain: one row per audit

create table ops.audit_baselines (
    schema_version integer not null, -- 1
    audit_id varchar not null, -- the audit
    audited_at timestamptz not null, -- when
    snapshot bigint not null, -- the snapshot that was audited
    run_id varchar not null, -- the run of that snapshot
    passed boolean not null, -- did all required checks hold
    p2_evidence_rows bigint, -- records
    p2_skipped bigint, -- skipped lines
    p3_accepted bigint, -- accepted records
    p3_partially_accepted bigint, -- partially accepted records
    p3_rejected bigint, -- rejected records
    p3_needs_human_review bigint, -- records that wait for a human
    p4_rag_rows bigint, -- rows in the retrieval corpus
    p4_sft_rows bigint, -- rows in the fine-tuning corpus
    p4_preference_pairs bigint, -- pairs in the preference corpus
    p4_total_quarantined bigint, -- rows and pairs in quarantine
    checks varchar not null, -- every check with its result, as JSON
    previous_sha256 varchar not null, -- row_sha256 of the audit before; 64 zeros for the first
    row_sha256 varchar not null -- sha256 over this row and previous_sha256
);
