-- Every pair of the preference file holds something accepted against something that was not, of two runs and two texts:
-- of one task; of two tasks about one subject, from two streams; or both from one record in which somebody decided.
-- Both answer one question, unless the switches take whole tasks. No borrowed verdict, no text that judges disagree on, no two
-- that begin alike as far as the switches say, and none that another pair turns round.
-- grain: one row per violation
-- version: 2
-- stage: export-preference

with lines as (
    select
        file.id,
        file.reason,
        file.created_at,
        text_hash(file.rejected_run_id) as rejected_run,
        place_hash(
            file.provenance.source_file, file.provenance.line_offset, file.provenance.sig_hash
        ) as chosen_place,
        place_hash(
            file.rejected_provenance.source_file, file.rejected_provenance.line_offset, file.rejected_provenance.sig_hash
        ) as rejected_place,
        trimmed(file.chosen) = trimmed(file.rejected) as is_one_text,
        substr(file.chosen, 1, options.max_chars) = substr(file.rejected, 1, options.max_chars) as begins_alike,
        text_hash(trimmed(file.prompt)) as prompt,
        text_hash(trimmed(file.chosen)) as chosen,
        text_hash(trimmed(file.rejected)) as rejected,
        file.prompt_match,
        text_hash(md5(coalesce(trimmed(file.rejected_prompt), ''))) as rejected_question,
        coalesce(options.pairs = 'task', false) as takes_tasks,
        options.cross_stream,
        options.cross_stream_days
    from files.preference as file
    cross join run.options as options
),

contrary as (
    select distinct one.id
    from lines as one
    inner join lines as other
        on
            one.prompt = other.prompt
            and one.chosen = other.rejected
            and one.rejected = other.chosen
    where
        one.reason <> 'settled_discrepancy'
        and other.reason <> 'settled_discrepancy'
),

settled as (
    select distinct vouched.record
    from lines
    inner join run.vouched as vouched
        on lines.rejected_place = vouched.place
    where lines.reason = 'settled_discrepancy'
),

alternatives as (
    select
        settled.record,
        text_hash(records.alternative_run_id) as run
    from evidence.records as records
    inner join settled
        on pair_hash(records.source, records.sig_hash) = settled.record
),

pairs as (
    select
        lines.id,
        lines.reason,
        lines.created_at,
        lines.is_one_text,
        lines.begins_alike,
        lines.cross_stream,
        chosen.category as chosen_category,
        rejected.category as rejected_category,
        coalesce(chosen.is_disputed or rejected.is_disputed, true) as is_disputed,
        coalesce(chosen.is_borrowed or rejected.is_borrowed, true) as is_borrowed,
        contrary.id is not null as is_contradicted,
        lines.takes_tasks,
        lines.prompt_match,
        lines.rejected_question = rejected.question as names_the_question,
        case
            when rejected.instruction_is_blank then 'blank'
            when chosen.question = rejected.question then 'same'
            else 'other'
        end as is_asked,
        chosen.run = lines.rejected_run as is_one_run,
        chosen.task = rejected.task as is_one_task,
        rejected.run = lines.rejected_run as names_the_run,
        alternatives.run = lines.rejected_run as names_the_other_run,
        chosen.source = rejected.source as is_one_stream,
        chosen.record = rejected.record as is_one_record,
        chosen.subject = rejected.subject as is_one_subject,
        within_days(chosen.occurred_at, rejected.occurred_at, lines.cross_stream_days) as is_one_time
    from lines
    left join run.vouched as chosen
        on lines.chosen_place = chosen.place
    left join run.vouched as rejected
        on lines.rejected_place = rejected.place
    left join alternatives
        on rejected.record = alternatives.record
    left join contrary
        on lines.id = contrary.id
)

select
    id,
    reason,
    chosen_category,
    rejected_category
from pairs
where
    coalesce(chosen_category <> 'accepted', true)
    or coalesce(is_one_run, true)
    or created_at is null
    or is_disputed
    or is_borrowed
    or is_contradicted
    or coalesce(prompt_match <> is_asked, true)
    or not coalesce(names_the_question, false)
    or (is_asked <> 'same' and not takes_tasks)
    or coalesce(is_one_text, true)
    or coalesce(begins_alike, false)
    or not coalesce(
        case reason
            when 'accepted_over_rejected' then rejected_category = 'rejected' and is_one_task and names_the_run
            when 'accepted_over_partially_accepted'
                then rejected_category = 'partially_accepted' and is_one_task and names_the_run
            when 'cross_stream'
                then
                    rejected_category = 'rejected'
                    and names_the_run
                    and cross_stream
                    and not is_one_task
                    and not is_one_stream
                    and is_one_subject
                    and is_asked in ('same', 'blank')
                    and is_one_time
            when 'settled_discrepancy' then is_one_record and is_one_stream and names_the_other_run
        end,
        false
    )
