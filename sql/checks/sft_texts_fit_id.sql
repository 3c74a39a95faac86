-- The texts of every new line of the sft file are there, and are those that its id was made from.
-- grain: one row per violation
-- version: 2
-- stage: export-sft

select file.id
from files.sft_new as file
where
    file.id <> 'sft-' || substr(sha256(sized(file.instruction) || chr(31) || sized(file.response)), 1, 16)
    or is_blank(file.instruction)
    or is_blank(file.response)
