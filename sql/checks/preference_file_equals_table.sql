-- The new lines of the preference file are the rows of its table, to the letter, each once.
-- grain: one row per line that stands only on one side, or not as often on both
-- version: 2
-- stage: export-preference

with sides as (
    select
        text_hash(line) as digest,
        substr(line, 1, 200) as beginning,
        1 as in_file,
        0 as in_table
    from files.preference_lines
    union all
    select
        text_hash(line) as digest,
        substr(line, 1, 200) as beginning,
        0 as in_file,
        1 as in_table
    from files.preference_expected
),

odd as (
    select
        digest,
        sum(in_file) as in_file,
        sum(in_table) as in_table
    from sides
    group by digest
    having sum(in_file) <> sum(in_table)
)

select
    odd.in_file,
    odd.in_table,
    sides.beginning
from odd
inner join sides
    on odd.digest is not distinct from sides.digest
