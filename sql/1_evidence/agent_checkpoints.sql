-- A coding agent's checkpoint: prompt, final message, files touched, and what became of the work.
-- grain: one row per object line of the stream
-- version: 1

select
    field.created_at as time_field,
    filled(text(field.checkpoint_id)) || '/' || filled(text(field.session_id)) as run_id,
    filled(text(field.branch)) as task_fallback,
    text(field.branch) as subject,
    text(field.prompt) as instruction,
    text(field.final_message) as content,
    coalesce(texts(field.files_touched), cast([] as varchar[])) as cited_paths,
    word(field.outcome) as verdict
from evidence.objects
where source = 'agent_checkpoints'
