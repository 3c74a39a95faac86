-- What each record is worth, and why (ScoredRun v1).
-- grain: one row per evidence record
-- key: source, sig_hash

create table scored.runs (
    schema_version integer not null, -- 1
    source varchar not null, -- the stream
    run_id varchar, -- the run of the agent
    task_id varchar not null, -- what the agent worked on
    occurred_at timestamptz not null, -- when, in UTC
    category varchar not null, -- accepted, partially_accepted, rejected or needs_human_review
    reasons varchar[] not null, -- why; never empty
    scorer_version varchar not null, -- the first 12 hex digits of a hash over the SQL that decided
    source_file varchar not null, -- where the row stands: the file,
    line_offset bigint not null, -- its line, counted from 0,
    sig_hash varchar not null, -- sha256 of the row,
    recorded_at timestamptz not null, -- and when it landed
    check (category in ('accepted', 'partially_accepted', 'rejected', 'needs_human_review'))
);
