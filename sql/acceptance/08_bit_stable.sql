-- Two fresh warehouses, told the same time of landing, write the same files, byte by byte.
-- grain: one row per file that differs or is missing
-- version: 1

with one as (
    select path, sha256 from facts.files where name = 'main'
),

other as (
    select path, sha256 from facts.files where name = 'fresh'
)

select
    coalesce(one.path, other.path) as path,
    one.sha256,
    other.sha256 as other_sha256
from one
full outer join other
    on one.path = other.path
where coalesce(one.sha256 <> other.sha256, true)
