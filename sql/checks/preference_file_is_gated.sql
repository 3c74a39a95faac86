-- Every pair of the preference file holds something accepted against something that was not, of two runs and two texts:
-- of one task; of two tasks about one subject, from two streams; or both from one record in which somebody decided.
-- No text that judges disagree on, and no two that begin alike as far as the switches say.
-- Of texts and alternatives only those of named records are held beside the scores: there may be many times as many.
-- grain: one row per violation
-- version: 1
-- stage: export-preference

with lines as (
    select
        file.id,
        file.reason,
        file.created_at,
        file.rejected_run_id,
        file.provenance.source_file as chosen_file,
        file.provenance.line_offset as chosen_offset,
        file.provenance.sig_hash as chosen_hash,
        file.rejected_provenance.source_file as rejected_file,
        file.rejected_provenance.line_offset as rejected_offset,
        file.rejected_provenance.sig_hash as rejected_hash,
        trimmed(file.chosen) = trimmed(file.rejected) as is_one_text,
        substr(file.chosen, 1, options.max_chars) = substr(file.rejected, 1, options.max_chars) as begins_alike,
        options.cross_stream,
        options.cross_stream_days
    from files.preference as file
    cross join run.options as options
),

named as (
    select chosen_hash as sig_hash from lines
    union
    select rejected_hash as sig_hash from lines
),

texts as (
    select
        texts.source,
        texts.sig_hash,
        texts.subject,
        texts.instruction_is_blank,
        texts.instruction_key,
        texts.content_key
    from exports.texts as texts
    inner join named
        on texts.sig_hash = named.sig_hash
),

alternatives as (
    select
        records.source,
        records.sig_hash,
        records.alternative_run_id
    from evidence.records as records
    inner join named
        on records.sig_hash = named.sig_hash
    where records.alternative_run_id is not null
),

sides as (
    select
        runs.source,
        runs.run_id,
        runs.task_id,
        runs.occurred_at,
        runs.category,
        runs.source_file,
        runs.line_offset,
        runs.sig_hash,
        texts.subject,
        texts.instruction_is_blank,
        texts.instruction_key,
        conflicts.detail as conflict,
        alternatives.alternative_run_id
    from scored.runs as runs
    inner join named
        on runs.sig_hash = named.sig_hash
    left join alternatives
        on
            runs.source = alternatives.source
            and runs.sig_hash = alternatives.sig_hash
    left join texts
        on
            runs.source = texts.source
            and runs.sig_hash = texts.sig_hash
    left join exports.conflicts as conflicts
        on
            texts.instruction_key = conflicts.instruction_key
            and texts.content_key = conflicts.content_key
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
        chosen.conflict is not null or rejected.conflict is not null as is_disputed,
        chosen.run_id = lines.rejected_run_id as is_one_run,
        chosen.task_id = rejected.task_id as is_one_task,
        rejected.run_id = lines.rejected_run_id as names_the_run,
        rejected.alternative_run_id = lines.rejected_run_id as names_the_other_run,
        chosen.source = rejected.source as is_one_stream,
        chosen.sig_hash = rejected.sig_hash as is_one_record,
        chosen.subject = rejected.subject as is_one_subject,
        rejected.instruction_is_blank or chosen.instruction_key = rejected.instruction_key as is_one_question,
        within_days(chosen.occurred_at, rejected.occurred_at, lines.cross_stream_days) as is_one_time
    from lines
    left join sides as chosen
        on
            lines.chosen_hash = chosen.sig_hash
            and lines.chosen_file = chosen.source_file
            and lines.chosen_offset = chosen.line_offset
    left join sides as rejected
        on
            lines.rejected_hash = rejected.sig_hash
            and lines.rejected_file = rejected.source_file
            and lines.rejected_offset = rejected.line_offset
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
                    and is_one_question
                    and is_one_time
            when 'settled_discrepancy' then is_one_record and is_one_stream and names_the_other_run
        end,
        false
    )
