-- Texts that somebody accepted, if only in part, and somebody else rejected: what is to be learned from them is not settled.
-- What was decided against in an accepted record counts as rejected. Texts that may be among them are found by numbers, among
-- all records; then the texts are compared.
-- grain: one row per instruction and content
-- version: 2

with verdicts as (
    select
        said,
        record,
        line,
        case category when 'rejected' then 'rejected' else 'accepted' end as verdict,
        case category
            when 'accepted' then 'accepted'
            when 'rejected' then 'rejected'
            else 'partially accepted'
        end as judged,
        false as is_alternative
    from exports.keys
    where
        category in ('accepted', 'partially_accepted', 'rejected')
        and said is not null

    union all

    select
        decided_against as said,
        record,
        line,
        'rejected' as verdict,
        'decided against' as judged,
        true as is_alternative
    from exports.keys
    where
        category = 'accepted'
        and decided_against is not null
),

may_be as (
    select said
    from verdicts
    group by said
    having min(verdict) <> max(verdict)
),

members as (
    select
        verdicts.record,
        verdicts.line,
        verdicts.verdict,
        verdicts.judged,
        verdicts.is_alternative
    from verdicts
    inner join may_be
        on verdicts.said = may_be.said
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
        case when members.is_alternative then texts.alternative_key else texts.content_key end as content_key,
        members.verdict,
        members.judged,
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
        verdict,
        judged || ' at ' || source_file || ':' || (line_offset + 1) as says,
        row_number() over (
            partition by instruction_key, content_key, verdict
            order by source_file, line_offset
        ) as number
    from judged
)

select
    accepted.instruction_key,
    accepted.content_key,
    'the same text was ' || accepted.says || ' and ' || rejected.says as detail
from numbered as accepted
inner join numbered as rejected
    on
        accepted.instruction_key = rejected.instruction_key
        and accepted.content_key = rejected.content_key
where
    accepted.verdict = 'accepted'
    and accepted.number = 1
    and rejected.verdict = 'rejected'
    and rejected.number = 1
