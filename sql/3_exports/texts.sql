-- What the gates ask of a record's texts: are they blank, which ids do they give, which other texts are the same?
-- Computed once per record. A content without white space around it, the common case, has the hash of its id as its key.
-- grain: one row per record
-- version: 2

with hashed as (
    select
        source,
        sig_hash,
        filled(subject) as subject,
        instruction,
        content,
        filled(alternative_content) as alternative_content,
        is_blank(content) as content_is_blank,
        is_blank(instruction) as instruction_is_blank,
        substr(sha256(content), 1, 16) as content_hash
    from evidence.records
)

select
    source,
    sig_hash,
    content_is_blank,
    instruction_is_blank,
    'rag-' || content_hash as rag_id,
    'sft-' || substr(sha256(sized(instruction) || chr(31) || sized(content)), 1, 16) as sft_id,
    subject,
    md5(coalesce(trimmed(instruction), '')) as instruction_key,
    case
        when content_is_blank then null
        when content = trimmed(content) then content_hash
        else substr(sha256(trimmed(content)), 1, 16)
    end as content_key,
    substr(sha256(trimmed(alternative_content)), 1, 16) as alternative_key
from hashed
