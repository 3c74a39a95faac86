-- The new lines of the rag file are the rows of its table, to the letter, each once.
-- grain: one row per line that stands only on one side, or not as often on both
-- version: 1
-- stage: export-rag

with counted as (
    select md5(line) as digest, substr(line, 1, 200) as beginning, 1 as in_file, 0 as in_table from files.rag_lines
    union all
    select md5(line) as digest, substr(line, 1, 200) as beginning, 0 as in_file, 1 as in_table from files.rag_expected
)

select
    digest,
    min(beginning) as beginning,
    sum(in_file) as in_file,
    sum(in_table) as in_table
from counted
group by digest
having sum(in_file) <> sum(in_table)
