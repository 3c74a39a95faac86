-- A finding of an audit phase: the evidence, its severity, and the resolution where there is one.
-- grain: one row per object line of the stream
-- version: 2

select
    field.ts as time_field,
    case
        when field.run_id is not null or has_key(line, 'run_id') then filled(label(field.run_id))
        else coalesce(filled(label(field.finding_id)), source || ':' || substr(sig_hash, 1, 16))
    end as run_id,
    filled(text(field.topic)) as task_fallback,
    text(field.topic) as subject,
    'Audit phase ' || filled(label(field.phase)) || ': ' || filled(text(field.topic)) as instruction,
    case
        when is_blank(text(field.resolution)) then text(field.evidence)
        else filled(text(field.evidence)) || chr(10) || chr(10) || 'Resolution: ' || text(field.resolution)
    end as content,
    word(field.verdict) as verdict,
    word(field.severity) as severity,
    not_text('verdict', field.verdict)
    || not_text('severity', field.severity) as misread_judged,
    not_label('finding_id', field.finding_id)
    || not_label('phase', field.phase)
    || not_text('topic', field.topic)
    || not_text('evidence', field.evidence)
    || not_text('resolution', field.resolution) as misread_more
from evidence.objects
where source = 'audits'
