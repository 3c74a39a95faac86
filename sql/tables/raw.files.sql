-- The ledger of landing: how far every file has been read. A load is landed once its rows are here.
-- grain: one row per file, generation and load
-- key: source_file, generation, bytes, load_id

create table raw.files (
    source varchar not null, -- the stream
    source_file varchar not null, -- path below the data directory, with /
    generation bigint not null, -- see raw.lines
    bytes bigint not null, -- bytes of the file (decompressed) that are landed, from its start
    lines bigint not null, -- physical lines in those bytes
    landed_lines bigint not null, -- non-blank ones among them
    blank_lines bigint not null, -- blank ones among them
    ends_with_newline boolean not null, -- false where the last landed line had no newline yet
    content_sha256 varchar not null, -- sha256 over the sha256 of each 8 MiB of those bytes
    load_id varchar not null, -- the run that landed them
    recorded_at timestamptz not null -- when they landed
);
