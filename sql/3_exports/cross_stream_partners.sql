-- The records that have a partner in another stream, of another task, near in time. In small meetings all are held against each
-- other. In crowded ones partners are only counted, since pairs grow with the square: of the others near in time, those of the
-- own stream and those of the own task are taken off, and those of both, taken off twice, put back.
-- grain: one row per record with a partner
-- version: 1

with pairs as (
    select
        chosen.source as chosen_source,
        chosen.sig_hash as chosen_sig_hash,
        rejected.source as rejected_source,
        rejected.sig_hash as rejected_sig_hash
    from exports.cross_stream_seats as chosen
    inner join exports.cross_stream_seats as rejected
        on
            chosen.subject = rejected.subject
            and chosen.question = rejected.question
            and chosen.source <> rejected.source
            and chosen.task_id <> rejected.task_id
            and abs(chosen.moment - rejected.moment) <= chosen.reach
    where
        chosen.category = 'accepted'
        and rejected.category = 'rejected'
        and not chosen.is_crowded
        and not rejected.is_crowded
),

crowds as (
    select
        subject,
        question,
        source,
        task_id,
        sig_hash,
        category,
        case category when 'accepted' then 'rejected' else 'accepted' end as other_category,
        moment,
        moment - reach as since,
        moment + reach as until
    from exports.cross_stream_seats
    where is_crowded
),

edges as (
    select subject, question, source, task_id, sig_hash, category as counted, moment, 1 as edge from crowds
    union all
    select subject, question, source, task_id, sig_hash, other_category as counted, since as moment, 0 as edge from crowds
    union all
    select subject, question, source, task_id, sig_hash, other_category as counted, until as moment, 2 as edge from crowds
),

counts as (
    select
        subject,
        question,
        source,
        sig_hash,
        edge,
        count(case edge when 1 then 1 end) over (
            partition by subject, question, counted
            order by moment, edge, source, sig_hash
        )
        - count(case edge when 1 then 1 end) over (
            partition by subject, question, counted, source
            order by moment, edge, source, sig_hash
        )
        - count(case edge when 1 then 1 end) over (
            partition by subject, question, counted, task_id
            order by moment, edge, source, sig_hash
        )
        + count(case edge when 1 then 1 end) over (
            partition by subject, question, counted, source, task_id
            order by moment, edge, source, sig_hash
        ) as others
    from edges
),

met as (
    select
        source,
        sig_hash
    from counts
    group by
        subject,
        question,
        source,
        sig_hash
    having sum(case edge when 0 then -others when 2 then others end) > 0
)

select
    chosen_source as source,
    chosen_sig_hash as sig_hash
from pairs

union

select
    rejected_source as source,
    rejected_sig_hash as sig_hash
from pairs

union

select
    source,
    sig_hash
from met
