-- The fine-tuning corpus, as in exports/sft/instruction_response.jsonl.
-- grain: one row per distinct instruction and response
-- key: id
-- digest: schema_version, id, context, quality_score, source_run_id, task_id, created_at, provenance
-- bulk: instruction, response
-- proof: id in ('sft-' || substr(sha256(length(instruction) || ':' || instruction || chr(31) || length(response) || ':' || response), 1, 16), 'sft-' || substr(sha256(instruction || chr(31) || response), 1, 16))

create table exports.sft (
    schema_version integer not null, -- 1
    id varchar not null, -- sft- and 16 hex digits of the texts' sha256
    instruction varchar not null, -- what was asked
    context varchar not null, -- empty
    response varchar not null, -- what was produced
    quality_score varchar not null, -- the category of the record
    source_run_id varchar not null, -- the run of the agent
    task_id varchar not null, -- what the agent worked on
    created_at timestamptz not null, -- when it was produced
    provenance struct(source_file varchar, line_offset bigint, sig_hash varchar, recorded_at timestamptz) not null, -- where it comes from
    check (quality_score in ('accepted', 'partially_accepted')),
    check (regexp_replace(instruction, '^[\p{Z}\p{Cc}\p{Cf}]+', '') <> '' and regexp_replace(response, '^[\p{Z}\p{Cc}\p{Cf}]+', '') <> ''),
    check (provenance['sig_hash'] is not null and provenance['source_file'] is not null and provenance['line_offset'] is not null)
);
