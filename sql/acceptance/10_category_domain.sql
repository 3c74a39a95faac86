-- There are the four categories and no others, and the fixture has scores of each.
-- grain: one row per category that is unknown or never given
-- version: 1

with known as (
    select unnest(['accepted', 'partially_accepted', 'rejected', 'needs_human_review']) as category
),

given as (
    select coalesce(category, 'none') as category, count(*) as scores
    from scored.runs
    group by coalesce(category, 'none')
)

select
    coalesce(known.category, given.category) as category,
    given.scores
from known
full outer join given
    on known.category = given.category
where
    known.category is null
    or given.category is null
