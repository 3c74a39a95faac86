-- Two findings on one question, and which of them somebody found right. Without a winner neither is the content.
-- grain: one row per object line of the stream
-- version: 2

select
    field.ts as time_field,
    case
        when field.run_id is not null or has_key(line, 'run_id') then filled(label(field.run_id))
        else coalesce(
            case word(field.winner) when 'a' then filled(text(field.run_a)) when 'b' then filled(text(field.run_b)) end,
            source || ':' || substr(sig_hash, 1, 16)
        )
    end as run_id,
    filled(label(field.discrepancy_id)) as task_fallback,
    case word(field.winner) when 'a' then text(field.model_a) when 'b' then text(field.model_b) end as model_name,
    text(field.prompt) as instruction,
    case word(field.winner) when 'a' then text(field.finding_a) when 'b' then text(field.finding_b) end as content,
    case
        word(field.winner) when 'a' then text(field.finding_b) when 'b' then text(field.finding_a)
    end as alternative_content,
    case word(field.winner) when 'a' then filled(text(field.run_b)) when 'b' then filled(text(field.run_a)) end
        as alternative_run_id,
    word(field.winner) as verdict,
    case
        when word(field.settled_by) is not null then ['settled_by:' || word(field.settled_by)]
        else cast([] as varchar[])
    end as success_markers,
    case
        when settler_name(word(field.settled_by)) in (settler_name(word(field.model_a)), settler_name(word(field.model_b)))
            then ['settled_by_a_party']
        else cast([] as varchar[])
    end as failure_markers,
    '' as misread_model,
    not_text('winner', field.winner)
    || not_text('settled_by', field.settled_by)
    || not_text('model_a', field.model_a)
    || not_text('model_b', field.model_b) as misread_judged,
    not_label('discrepancy_id', field.discrepancy_id)
    || not_text('prompt', field.prompt)
    || not_text('finding_a', field.finding_a)
    || not_text('finding_b', field.finding_b)
    || not_text('run_a', field.run_a)
    || not_text('run_b', field.run_b) as misread_more
from evidence.objects
where source = 'audit_discrepancies'
