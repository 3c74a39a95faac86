-- The records whose text judges disagree on, worked out apart from the gates: somebody rejected it, or decided against it, and
-- somebody accepted it, if only in part. Found by numbers; then the texts are compared.
-- grain: one row per record
-- version: 1

with views as (
    select
        record,
        said as about,
        false as is_alternative,
        category in ('accepted', 'partially_accepted') as is_for,
        category = 'rejected' as is_against
    from exports.keys
    where said is not null

    union all

    select
        record,
        decided_against as about,
        true as is_alternative,
        false as is_for,
        category = 'accepted' as is_against
    from exports.keys
    where decided_against is not null
),

refused as (
    select distinct about
    from views
    where is_against
),

may_be as (
    select
        views.record,
        views.is_alternative,
        views.is_for,
        views.is_against
    from views
    inner join refused
        on views.about = refused.about
),

worded as (
    select
        may_be.record,
        may_be.is_alternative,
        may_be.is_for,
        may_be.is_against,
        texts.instruction_key,
        case when may_be.is_alternative then texts.alternative_key else texts.content_key end as answer_key
    from exports.texts as texts
    inner join may_be
        on pair_hash(texts.source, texts.sig_hash) = may_be.record
),

disputed as (
    select
        instruction_key,
        answer_key
    from worded
    group by
        instruction_key,
        answer_key
    having
        count(case when is_for then 1 end) > 0
        and count(case when is_against then 1 end) > 0
)

select distinct worded.record
from worded
inner join disputed
    on
        worded.instruction_key = disputed.instruction_key
        and worded.answer_key = disputed.answer_key
where not worded.is_alternative
