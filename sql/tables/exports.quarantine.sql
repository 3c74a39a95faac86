-- Everything that a gate stopped, each with exactly one reason.
-- grain: one row per stopped record and export, or per stopped pair
-- key: export, reason, detail, source, sig_hash

create table exports.quarantine (
    export varchar not null, -- rag, sft or preference
    reason varchar not null, -- one of twelve
    detail varchar, -- what exactly was wrong; for a pair, the other side
    source varchar, -- the stream
    source_run_id varchar, -- the run of the agent
    task_id varchar, -- what the agent worked on
    source_file varchar, -- where the row stands: the file,
    line_offset bigint, -- its line, counted from 0,
    sig_hash varchar, -- and sha256 of the row
    check (export in ('rag', 'sft', 'preference')),
    check (
        reason in (
            'missing_provenance', 'missing_source_run_id', 'empty_content', 'schema_violation', 'unsafe_sft_category',
            'unsafe_rag_category', 'invalid_preference_pairing', 'hallucinated_file_path', 'duplicate_id',
            'self_pairing', 'category_disallowed', 'conflicting_verdict'
        )
    )
);
