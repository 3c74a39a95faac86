-- What the gates ask of a record's texts, kept so that it is worked out once per record.
-- grain: one row per evidence record
-- key: source, sig_hash

create table exports.texts (
    source varchar not null, -- the stream
    sig_hash varchar not null, -- sha256 of the row
    content_is_blank boolean not null, -- nothing was produced
    instruction_is_blank boolean not null, -- nothing was asked
    rag_id varchar, -- the id that the record has in the retrieval corpus
    sft_id varchar, -- the id that it has in the fine-tuning corpus
    subject varchar, -- what the record is about; null where that is blank
    instruction_key varchar not null, -- md5 of the trimmed instruction, or of nothing
    content_key varchar, -- 16 hex digits of the sha256 of the trimmed content; null where that is blank
    alternative_key varchar -- the same of what was decided against; null where nothing was
);
