-- The retrieval corpus, as in exports/rag/playbooks.jsonl.
-- grain: one row per distinct content
-- key: id
-- digest: schema_version, id, title, tags, source_category, source_run_id, task_id, created_at, provenance
-- bulk: content
-- proof: id = 'rag-' || substr(sha256(content), 1, 16)

create table exports.rag (
    schema_version integer not null, -- 1
    id varchar not null, -- rag- and 16 hex digits of the content's sha256
    title varchar not null, -- the subject, else the task
    content varchar not null, -- what was produced
    tags varchar[] not null, -- the stream
    source_category varchar not null, -- the category of the record
    source_run_id varchar not null, -- the run of the agent
    task_id varchar not null, -- what the agent worked on
    created_at timestamptz not null, -- when it was produced
    provenance struct(source_file varchar, line_offset bigint, sig_hash varchar, recorded_at timestamptz) not null, -- where it comes from
    playbook_id varchar, -- its row of exports.playbooks; null while it waits for a human
    check (source_category in ('accepted', 'partially_accepted', 'needs_human_review')),
    check (regexp_replace(content, '^[\p{Z}\p{Cc}\p{Cf}]+', '') <> ''),
    check (provenance['sig_hash'] is not null and provenance['source_file'] is not null and provenance['line_offset'] is not null)
);
