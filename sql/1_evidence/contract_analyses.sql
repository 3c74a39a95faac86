-- An agent's analysis of a contract, with the failure markers found in it and the observer's verdict.
-- grain: one row per object line of the stream
-- version: 2

select
    field.created_at as time_field,
    filled(text(field.contract_id)) as task_fallback,
    text(field.contract_id) as subject,
    coalesce(filled(text(field.prompt)), 'Analyze contract ' || filled(text(field.contract_id))) as instruction,
    text(field.analysis) as content,
    word(field.observer_verdict) as verdict,
    coalesce(markers(field.failure_markers), cast([] as varchar[])) as failure_markers,
    not_text('observer_verdict', field.observer_verdict)
    || not_texts('failure_markers', field.failure_markers) as misread_judged,
    not_text('contract_id', field.contract_id)
    || not_text('prompt', field.prompt)
    || not_text('analysis', field.analysis) as misread_more
from evidence.objects
where source = 'contract_analyses'
