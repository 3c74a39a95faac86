-- What the gates ask of a record's texts: are they blank, and which ids do they give? Computed once per record.
-- grain: one row per record
-- version: 1

select
    source,
    sig_hash,
    is_blank(content) as content_is_blank,
    is_blank(instruction) as instruction_is_blank,
    'rag-' || substr(sha256(content), 1, 16) as rag_id,
    'sft-' || substr(sha256(instruction || chr(31) || content), 1, 16) as sft_id
from evidence.records
