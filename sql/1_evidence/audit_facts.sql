-- The facts that were extracted from an audit finding.
-- grain: one row per object line of the stream
-- version: 2

select
    field.ts as time_field,
    array_to_string(nullif(strings(field.facts), cast([] as varchar[])), chr(10)) as content,
    not_texts('facts', field.facts) as misread_more
from evidence.objects
where source = 'audit_facts'
