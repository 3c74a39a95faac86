-- One receipt per stage and run: what went in, what came out, by which SQL (StageReceipt v1).
-- grain: one row per run and stage

create table ops.receipts (
    schema_version integer not null, -- 1
    run_id varchar not null, -- the run
    stage varchar not null, -- collect, score, export-rag, export-sft, export-preference, extract-playbooks, index
    status varchar not null, -- ran, unchanged, failed or not_run
    started_at timestamptz not null, -- when the stage began
    ended_at timestamptz not null, -- when it ended
    duration_ms bigint not null, -- how long it had its turn; others may have had theirs in between
    git_sha varchar, -- commit of the code, where it is known
    input_hash varchar, -- hash over the content of the inputs
    output_hash varchar, -- hash over the content of the outputs
    rows_in bigint not null, -- rows that went in
    rows_out bigint not null, -- rows that came out
    skipped bigint not null, -- lines skipped
    deduped bigint not null, -- repeated lines
    quarantined bigint not null, -- rows and pairs stopped by a gate
    capped bigint not null, -- pairs beyond the cap
    passed boolean not null, -- no validation error
    receipt varchar not null -- the whole receipt as JSON
);
