-- Every physical line of every stream, as it was written. Never edited, never lost.
-- grain: one row per non-blank line and generation of a file
-- key: source_file, line_offset, generation
-- digest: source, source_file, line_offset, generation, status, detail, meaning, line_sha256, sig_hash
-- proof: sha256(coalesce(encode(line), line_bytes)) = case when status = 'too_long' then right(detail, 64) else line_sha256 end

create table raw.lines (
    source varchar not null, -- the stream: the first part of the path below the data directory
    source_file varchar not null, -- path below the data directory, with /
    line_offset bigint not null, -- physical line in the file, counted from 0
    generation bigint not null, -- 0; one more each time a rewritten file was accepted with --accept-rewrite
    line varchar, -- the exact text without its newline; the first 4096 bytes where it is too long; null where it is no UTF-8
    line_bytes blob, -- the same as bytes, only where they are no UTF-8
    status varchar not null, -- object, not_an_object, invalid_json, invalid_utf8 or too_long
    detail varchar, -- what is wrong with the line, where something is; of one that is too long its size
    meaning varchar, -- the same object rewritten, only where JSON parsers would read the line differently
    line_sha256 varchar not null, -- sha256 of the exact bytes, all of them
    sig_hash varchar, -- sha256 of the parsed row in canonical form; null where it does not parse
    load_id varchar not null, -- the run that landed it
    recorded_at timestamptz not null, -- when it landed
    check (status in ('object', 'not_an_object', 'invalid_json', 'invalid_utf8', 'too_long'))
);
