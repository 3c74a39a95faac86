-- The texts of every new line of the preference file are there, and are those that its id was made from.
-- grain: one row per violation
-- version: 2
-- stage: export-preference

select file.id
from files.preference_new as file
where
    file.id <> 'pref-' || substr(
        sha256(sized(file.prompt) || chr(31) || sized(file.chosen) || chr(31) || sized(file.rejected)), 1, 16
    )
    or is_blank(file.prompt)
    or is_blank(file.chosen)
    or is_blank(file.rejected)
    or trimmed(file.chosen) = trimmed(file.rejected)
