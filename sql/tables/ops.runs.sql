-- One summary per run (RunSummary v1).
-- grain: one row per run

create table ops.runs (
    schema_version integer not null, -- 1
    run_id varchar not null, -- the run
    started_at timestamptz not null, -- when it began
    ended_at timestamptz not null, -- when it ended
    overall_passed boolean not null, -- did every gate and check pass
    rag bigint not null, -- rows in the retrieval corpus
    sft bigint not null, -- rows in the fine-tuning corpus
    preference bigint not null, -- pairs in the preference corpus
    total_quarantined bigint not null, -- rows and pairs in quarantine
    run_hash varchar, -- hash of everything published
    summary varchar not null -- the whole summary as JSON
);
