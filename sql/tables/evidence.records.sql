-- What happened: one shape for all streams, no judgement (EvidenceRecord v1).
-- grain: one row per distinct object of a stream
-- key: source, sig_hash

create table evidence.records (
    schema_version integer not null, -- 1
    source varchar not null, -- the stream
    run_id varchar, -- the run of the agent that wrote the row
    task_id varchar not null, -- what the agent worked on
    occurred_at timestamptz not null, -- when, in UTC
    subject varchar, -- file, topic, pull request: what the record is about
    model_name varchar, -- the model that produced the content
    model_provider varchar, -- who ran the model
    instruction varchar, -- what was asked
    content varchar, -- what was produced
    alternative_content varchar, -- what somebody decided against, where two answers were held against each other
    alternative_run_id varchar, -- the run that produced it
    cited_paths varchar[] not null, -- paths that the row cites
    verdict varchar, -- the stream's own verdict, lower case
    severity varchar, -- severity of a finding, lower case
    attempts bigint, -- attempts until it was accepted
    gap_signals bigint, -- signals that something was missing
    events_ok boolean, -- did every event, or the measurement, succeed
    grounded_fraction double, -- share of the content that a validator found grounded, 0 to 1
    success_markers varchar[] not null, -- signs of success, sorted
    failure_markers varchar[] not null, -- signs of failure, sorted
    latency_ms bigint, -- time to answer, in milliseconds
    prompt_tokens bigint, -- tokens read
    completion_tokens bigint, -- tokens written
    cost_usd double, -- cost in US dollars
    unreadable_fields varchar[] not null, -- fields of the row that its score hangs on and whose value can't be read, sorted
    mistyped_fields varchar[] not null, -- all fields of the row whose value is there and can't be read, sorted
    source_file varchar not null, -- where the row stands: the file,
    line_offset bigint not null, -- its line, counted from 0,
    sig_hash varchar not null, -- sha256 of the row,
    recorded_at timestamptz not null, -- and when it landed
    check (schema_version = 1)
);
