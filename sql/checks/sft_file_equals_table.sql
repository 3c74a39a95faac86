-- The new lines of the sft file are the rows of its table, to the letter, each once.
-- grain: one row per line that stands only on one side, or not as often on both
-- version: 1
-- stage: export-sft

with sides as (
    select line, 1 as in_file, 0 as in_table from files.sft_lines
    union all
    select line, 0 as in_file, 1 as in_table from files.sft_expected
),

odd as (
    select
        text_hash(line) as digest,
        sum(in_file) as in_file,
        sum(in_table) as in_table
    from sides
    group by text_hash(line)
    having sum(in_file) <> sum(in_table)
)

select
    odd.in_file,
    odd.in_table,
    substr(sides.line, 1, 200) as beginning
from odd
inner join sides
    on odd.digest is not distinct from text_hash(sides.line)
