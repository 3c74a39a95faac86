-- What replays asked, what they were answered, and what the gate said; the newest ones, up to a limit.
-- grain: one row per attempt of a replay
-- key: replay_id, attempt

create table replay.runs (
    schema_version integer not null, -- 1
    replay_id varchar not null, -- replay- and 32 hex digits; also the task that its lines are about
    attempt integer not null, -- 1, and 2 for the larger model after a refusal
    created_at timestamptz not null, -- when the answer was there
    task varchar not null, -- what was asked
    task_hash varchar not null, -- sha256 of it
    retriever varchar not null, -- bm25, jaccard, or none
    top_k integer not null, -- how many rows were to be found at most
    retrieved struct(id varchar, score double)[] not null, -- rows of exports.rag that were found, best first
    prompt_hash varchar not null, -- sha256 of what the model was sent
    model varchar not null, -- who answered
    endpoint varchar not null, -- where; embedded for the model that runs inside of the command
    answer varchar not null, -- what was answered
    verdict varchar not null, -- passed or refused
    findings bigint not null, -- how many things the gate found
    gate varchar not null, -- which gate: its version, and a hash of its words
    escalated boolean not null, -- was this the larger model
    latency_ms bigint not null, -- how long the answer took
    prompt_tokens bigint, -- as the server counted; null where it does not say
    completion_tokens bigint, -- as above
    snapshot bigint not null, -- the state that was read
    snapshot_run_id varchar not null, -- the run of that state
    record varchar not null, -- all of it as JSON (replay_run.v1), bundle and findings too: the line of the stream
    check (attempt in (1, 2)),
    check (verdict in ('passed', 'refused')),
    check (escalated or attempt = 1),
    check (not escalated or attempt = 2)
);
