-- The texts of every new line of the rag file are there, and are those that its id was made from.
-- grain: one row per violation
-- version: 1
-- stage: export-rag

select file.id
from files.rag_new as file
where
    file.id <> 'rag-' || substr(sha256(file.content), 1, 16)
    or is_blank(file.content)
