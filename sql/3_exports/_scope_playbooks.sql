-- The playbooks that have to be made again: of rows that came to the retrieval corpus or left it, and of rows whose record
-- has another score now, for a playbook shows its reasons.
-- grain: one row per playbook
-- version: 1

with newer_rows as (
    select id, playbook_id, source_category, created_at, provenance['sig_hash'] as sig_hash from after.rag
    except
    select id, playbook_id, source_category, created_at, provenance['sig_hash'] as sig_hash from before.rag
),

older_rows as (
    select id, playbook_id, source_category, created_at, provenance['sig_hash'] as sig_hash from before.rag
    except
    select id, playbook_id, source_category, created_at, provenance['sig_hash'] as sig_hash from after.rag
),

newer_scores as (
    select source_file, line_offset, sig_hash, category, reasons from after.scores
    except
    select source_file, line_offset, sig_hash, category, reasons from before.scores
),

rows as (
    select
        playbook_id,
        provenance['source_file'] as source_file,
        provenance['line_offset'] as line_offset,
        provenance['sig_hash'] as sig_hash
    from exports.rag
    where playbook_id is not null
)

select playbook_id
from newer_rows
where playbook_id is not null

union

select playbook_id
from older_rows
where playbook_id is not null

union

select rows.playbook_id
from rows
inner join newer_scores
    on
        rows.sig_hash = newer_scores.sig_hash
        and rows.source_file = newer_scores.source_file
        and rows.line_offset = newer_scores.line_offset
