-- The two sides of a preference pair say different things, beyond white space around them, and neither is blank.
-- grain: one row per pair that does not tell good from bad
-- version: 1

select
    id,
    chosen,
    rejected
from files.preference
where
    coalesce(trimmed(chosen) = trimmed(rejected), true)
    or is_blank(chosen)
    or is_blank(rejected)
