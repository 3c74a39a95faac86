-- Where a record can meet those of other streams: what it is about, and what was asked. Where whole tasks are paired, a record
-- that was asked nothing meets whoever was accepted. A meeting is crowded where pairs would be many times its members.
-- grain: one row per record and meeting
-- version: 2

with survivors as (
    select
        gates.source,
        gates.task_id,
        gates.sig_hash,
        gates.category,
        gates.subject,
        gates.instruction_is_blank,
        gates.instruction_key,
        microseconds(gates.occurred_at) as moment,
        options.cross_stream_days * 86400000000 as reach,
        options.pairs = 'task' as takes_blank
    from exports.preference_gates as gates
    cross join run.options as options
    where
        options.cross_stream
        and gates.reason is null
        and gates.subject is not null
        and gates.category in ('accepted', 'rejected')
),

seats as (
    select source, task_id, sig_hash, category, subject, moment, reach, instruction_key as question
    from survivors
    where not instruction_is_blank

    union all

    select source, task_id, sig_hash, category, subject, moment, reach, '' as question
    from survivors
    where
        takes_blank
        and (category = 'accepted' or instruction_is_blank)
),

meetings as (
    select
        subject,
        question,
        count(case when category = 'accepted' then 1 end) as accepted,
        count(case when category = 'rejected' then 1 end) as rejected
    from seats
    group by
        subject,
        question
    having
        min(category) <> max(category)
        and min(source) <> max(source)
        and min(task_id) <> max(task_id)
)

select
    seats.source,
    seats.task_id,
    seats.sig_hash,
    seats.category,
    seats.subject,
    seats.question,
    seats.moment,
    seats.reach,
    meetings.accepted * meetings.rejected > 64 * (meetings.accepted + meetings.rejected) as is_crowded
from seats
inner join meetings
    on
        seats.subject = meetings.subject
        and seats.question = meetings.question
