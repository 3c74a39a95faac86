-- The preference corpus, as in exports/preference/chosen_rejected.jsonl.
-- grain: one row per pair
-- key: id
-- digest: schema_version, id, reason, chosen_run_id, rejected_run_id, task_id, created_at, provenance, rejected_provenance, prompt_match, rejected_prompt
-- bulk: prompt, chosen, rejected
-- proof: id in ('pref-' || substr(sha256(length(prompt) || ':' || prompt || chr(31) || length(chosen) || ':' || chosen || chr(31) || length(rejected) || ':' || rejected), 1, 16), 'pref-' || substr(sha256(prompt || chr(31) || chosen || chr(31) || rejected), 1, 16))

create table exports.preference (
    schema_version integer not null, -- 1
    id varchar not null, -- pref- and 16 hex digits of the texts' sha256
    prompt varchar not null, -- the instruction of the chosen record
    chosen varchar not null, -- the content that was accepted
    rejected varchar not null, -- the content that was not, or not at once
    reason varchar not null, -- accepted_over_rejected, accepted_over_partially_accepted, cross_stream or settled_discrepancy
    chosen_run_id varchar not null, -- the run behind the chosen content
    rejected_run_id varchar not null, -- the run behind the other
    task_id varchar not null, -- the task of the chosen one
    created_at timestamptz not null, -- when the chosen one was produced
    provenance struct(source_file varchar, line_offset bigint, sig_hash varchar, recorded_at timestamptz) not null, -- where the chosen one comes from
    rejected_provenance struct(source_file varchar, line_offset bigint, sig_hash varchar, recorded_at timestamptz) not null, -- where the other comes from
    prompt_match varchar not null, -- what the other was asked, beside the prompt: same, blank or other
    rejected_prompt varchar, -- the instruction of the other record; null where it has none
    check (reason in ('accepted_over_rejected', 'accepted_over_partially_accepted', 'cross_stream', 'settled_discrepancy')),
    check (chosen_run_id <> rejected_run_id),
    check (prompt_match in ('same', 'blank', 'other')),
    check (regexp_replace(prompt, '^[\p{Z}\p{Cc}\p{Cf}]+', '') <> '' and regexp_replace(chosen, '^[\p{Z}\p{Cc}\p{Cf}]+', '') <> '' and regexp_replace(rejected, '^[\p{Z}\p{Cc}\p{Cf}]+', '') <> '' and trim(chosen, ' ') <> trim(rejected, ' ')),
    check (provenance['sig_hash'] is not null and provenance['source_file'] is not null and provenance['line_offset'] is not null),
    check (
        rejected_provenance['sig_hash'] is not null
        and rejected_provenance['source_file'] is not null
        and rejected_provenance['line_offset'] is not null
    )
);
