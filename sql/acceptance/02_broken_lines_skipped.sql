-- Every line that is no JSON object is skipped, with the reason that fits, and no other line is skipped for such a reason.
-- grain: one row per line with another reason than expected
-- version: 1

with broken as (
    select
        source_file,
        line_offset,
        expected as reason
    from fixture.lines
    where expected in ('invalid_utf8', 'invalid_json', 'not_an_object')
),

skipped as (
    select
        source_file,
        line_offset,
        reason
    from evidence.skips
    where reason in ('invalid_utf8', 'invalid_json', 'not_an_object')
)

select
    coalesce(broken.source_file, skipped.source_file) as source_file,
    coalesce(broken.line_offset, skipped.line_offset) as line_offset,
    broken.reason as expected,
    skipped.reason as found
from broken
full outer join skipped
    on
        broken.source_file = skipped.source_file
        and broken.line_offset = skipped.line_offset
where coalesce(broken.reason <> skipped.reason, true)
