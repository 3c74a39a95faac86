-- Lines that could not become evidence, each with its reason.
-- grain: one row per skipped line
-- key: source_file, line_offset, line_sha256

create table evidence.skips (
    source varchar not null, -- the stream
    source_file varchar not null, -- path below the data directory
    line_offset bigint not null, -- line, counted from 0
    reason varchar not null, -- one of seven
    detail varchar, -- what exactly is wrong
    line_sha256 varchar not null, -- sha256 of the exact bytes
    sig_hash varchar, -- sha256 of the row, where it parses
    recorded_at timestamptz not null, -- when the line landed
    check (
        reason in (
            'invalid_utf8', 'invalid_json', 'not_an_object', 'too_long',
            'missing_timestamp', 'invalid_timestamp', 'schema_violation'
        )
    )
);
