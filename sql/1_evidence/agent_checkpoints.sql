-- A coding agent's checkpoint: prompt, final message, files touched, and what became of the work.
-- grain: one row per object line of the stream
-- version: 2

select
    field.created_at as time_field,
    filled(text(field.checkpoint_id)) || '/' || filled(text(field.session_id)) as run_id,
    filled(text(field.branch)) as task_fallback,
    text(field.branch) as subject,
    text(field.prompt) as instruction,
    text(field.final_message) as content,
    coalesce(texts(field.files_touched), cast([] as varchar[])) as cited_paths,
    word(field.outcome) as verdict,
    '' as misread_run_id,
    not_texts('files_touched', field.files_touched) as misread_paths,
    not_text('outcome', field.outcome) as misread_judged,
    not_text('checkpoint_id', field.checkpoint_id)
    || not_text('session_id', field.session_id)
    || not_text('branch', field.branch)
    || not_text('prompt', field.prompt)
    || not_text('final_message', field.final_message) as misread_more
from evidence.objects
where source = 'agent_checkpoints'
