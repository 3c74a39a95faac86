-- Which member of the fleet should get this type of task, or why the evidence is too thin to say.
-- grain: one row per type of task
-- version: 1

with counted as (
    select
        task_type,
        sum(records) as records,
        count(case when judged >= asked.min_records then 1 end) as known,
        count(case when standing = 'may be as good' then 1 end) as rivals,
        min(case when standing = 'may be as good' then place end) as rival_place,
        min(case when judged >= asked.min_records then place end) as known_place
    from run.ranking
    cross join run.asked as asked
    group by task_type
),

described as (
    select
        task_type,
        place,
        model_name,
        judged,
        records,
        needs_human_review,
        model_name || ' (' || in_percent(accepted_of_judged) || ' of ' || judged || ' accepted, '
        || in_percent(accepted_of_judged_low) || ' to ' || in_percent(accepted_of_judged_high) || ')' as described
    from run.ranking
)

select
    counted.task_type,
    coalesce(best.judged >= asked.min_records and counted.known > 1 and counted.rivals = 0, false) as is_clear,
    best.model_name,
    case
        when best.judged = 0 then 'too thin: none of ' || counted.records || ' records has a verdict'
        when counted.known = 0
            then 'too thin: ' || best.described || ' comes first, but none has ' || asked.min_records || ' verdicts'
        when best.judged < asked.min_records
            then
                'too thin: ' || best.described || ' comes first with fewer than ' || asked.min_records
                || ' verdicts; of those with enough, ' || known.described || ' does'
        when counted.known = 1
            then
                'too thin: ' || best.described || ' comes first, but no other has ' || asked.min_records
                || ' verdicts to hold it against'
        when counted.rivals = 1
            then 'too thin: ' || best.described || ' comes first, but ' || rival.described || ' may be as good'
        when counted.rivals > 1
            then
                'too thin: ' || best.described || ' comes first, but ' || rival.described || ' and '
                || (counted.rivals - 1) || ' more may be as good'
        else best.described || ': above the interval of every other with ' || asked.min_records || ' verdicts'
    end
    || case
        when best.judged > 0 and best.needs_human_review > best.judged
            then '; most of its records, ' || best.needs_human_review || ' of ' || best.records || ', wait for a verdict'
        else ''
    end as answer
from counted
inner join described as best
    on counted.task_type = best.task_type and best.place = 1
left join described as known
    on counted.task_type = known.task_type and counted.known_place = known.place
left join described as rival
    on counted.task_type = rival.task_type and counted.rival_place = rival.place
cross join run.asked as asked
order by counted.task_type
