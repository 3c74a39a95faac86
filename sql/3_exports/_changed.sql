-- The records whose score is new, gone or another one since an export was made.
-- grain: one row per record
-- version: 2

with newer as (
    select source, sig_hash, task_id, category, is_borrowed(reasons) as is_borrowed, source_file, line_offset
    from after.scores
    except
    select source, sig_hash, task_id, category, is_borrowed(reasons) as is_borrowed, source_file, line_offset
    from before.scores
),

older as (
    select source, sig_hash, task_id, category, is_borrowed(reasons) as is_borrowed, source_file, line_offset
    from before.scores
    except
    select source, sig_hash, task_id, category, is_borrowed(reasons) as is_borrowed, source_file, line_offset
    from after.scores
)

select
    source,
    sig_hash,
    task_id
from newer

union

select
    source,
    sig_hash,
    task_id
from older
