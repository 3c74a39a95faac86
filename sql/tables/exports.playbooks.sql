-- What accepted and partially accepted work teaches about a file, topic or task; also as pages below exports/playbooks/.
-- grain: one row per title in the retrieval corpus, but for what waits for a human
-- key: id

create table exports.playbooks (
    schema_version integer not null, -- 1
    id varchar not null, -- playbook- and 16 hex digits of the title's sha256
    title varchar not null, -- the subject, else the task
    accepted bigint not null, -- how many accepted rows of exports.rag have it
    partially_accepted bigint not null, -- how many partially accepted ones
    steps struct(step varchar, records bigint, id varchar)[] not null, -- what to verify: up to 20, with how many records share it and the first that says it
    steps_in_all bigint not null, -- how many there are
    exemplars struct(id varchar, created_at timestamptz, model_name varchar, reasons varchar[], summary varchar, source_file varchar, line_offset bigint, sig_hash varchar)[] not null, -- the five newest accepted rows of exports.rag
    warnings struct(id varchar, created_at timestamptz, model_name varchar, reasons varchar[], summary varchar, source_file varchar, line_offset bigint, sig_hash varchar)[] not null, -- the five newest partially accepted ones, with the reasons of their score
    models struct(model_name varchar, records bigint)[] not null, -- the models behind accepted ones: up to ten, the most frequent first
    first_seen_at timestamptz not null, -- when the oldest of its records was produced
    last_seen_at timestamptz not null, -- when the newest was
    evidence_sha256 varchar not null, -- sha256 over ids and categories of all its rows: another hash, other evidence
    file varchar not null, -- its page below exports/playbooks/
    page_sha256 varchar not null, -- sha256 of the page
    page varchar not null, -- the page, Markdown
    check (starts_with(id, 'playbook-')),
    check (regexp_replace(title, '^[\p{Z}\p{Cc}\p{Cf}]+', '') <> ''),
    check (accepted >= 0 and partially_accepted >= 0 and accepted + partially_accepted > 0),
    check (first_seen_at <= last_seen_at)
);
