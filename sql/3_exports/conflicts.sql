-- Texts that somebody accepted and somebody else rejected: what is to be learned from them is not settled.
-- Those that may be are found by numbers, among all records; then their texts are compared.
-- grain: one row per instruction and content
-- version: 2

with may_be as (
    select said
    from exports.keys
    where
        category in ('accepted', 'rejected')
        and said is not null
    group by said
    having min(category) <> max(category)
),

members as (
    select
        keys.record,
        keys.line,
        keys.category
    from exports.keys as keys
    inner join may_be
        on keys.said = may_be.said
    where keys.category in ('accepted', 'rejected')
),

lines as (
    select distinct line
    from members
),

places as (
    select distinct
        lines.line,
        runs.source_file,
        runs.line_offset
    from scored.runs as runs
    inner join lines
        on pair_hash(runs.source_file, runs.line_offset) = lines.line
),

judged as (
    select
        texts.instruction_key,
        texts.content_key,
        members.category,
        places.source_file,
        places.line_offset
    from exports.texts as texts
    inner join members
        on pair_hash(texts.source, texts.sig_hash) = members.record
    inner join places
        on members.line = places.line
),

numbered as (
    select
        instruction_key,
        content_key,
        category,
        source_file || ':' || (line_offset + 1) as place,
        row_number() over (
            partition by instruction_key, content_key, category
            order by source_file, line_offset
        ) as number
    from judged
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
