-- Texts that somebody accepted and somebody else rejected: what is to be learned from them is not settled.
-- grain: one row per instruction and content
-- version: 1

with judged as (
    select
        texts.instruction_key,
        texts.content_key,
        runs.category,
        runs.source_file,
        runs.line_offset
    from scored.runs as runs
    inner join exports.texts as texts
        on
            runs.source = texts.source
            and runs.sig_hash = texts.sig_hash
    where
        runs.category in ('accepted', 'rejected')
        and texts.content_key is not null
),

disputed as (
    select
        instruction_key,
        content_key
    from judged
    group by
        instruction_key,
        content_key
    having min(category) <> max(category)
),

numbered as (
    select
        judged.instruction_key,
        judged.content_key,
        judged.category,
        judged.source_file || ':' || judged.line_offset as place,
        row_number() over (
            partition by judged.instruction_key, judged.content_key, judged.category
            order by judged.source_file, judged.line_offset
        ) as number
    from judged
    inner join disputed
        on
            judged.instruction_key = disputed.instruction_key
            and judged.content_key = disputed.content_key
)

select
    accepted.instruction_key,
    accepted.content_key,
    'the same text was accepted at ' || accepted.place || ' and rejected at ' || rejected.place as detail
from numbered as accepted
inner join numbered as rejected
    on
        accepted.instruction_key = rejected.instruction_key
        and accepted.content_key = rejected.content_key
where
    accepted.category = 'accepted'
    and accepted.number = 1
    and rejected.category = 'rejected'
    and rejected.number = 1
