-- For rag and for sft every scored record is either exported or in quarantine with one reason, never both and never neither.
-- grain: one row per record and export that does not add up
-- version: 1

with exported as (
    select 'rag' as export, provenance from files.rag
    union all
    select 'sft' as export, provenance from files.sft
),

settled as (
    select
        exported.export,
        runs.source,
        runs.sig_hash,
        0 as scored,
        1 as exported,
        0 as quarantined
    from exported
    inner join scored.runs as runs
        on
            exported.provenance.source_file = runs.source_file
            and exported.provenance.line_offset = runs.line_offset

    union all

    select export, source, sig_hash, 0 as scored, 0 as exported, 1 as quarantined
    from exports.quarantine
    where export in ('rag', 'sft')

    union all

    select 'rag' as export, source, sig_hash, 1 as scored, 0 as exported, 0 as quarantined from scored.runs

    union all

    select 'sft' as export, source, sig_hash, 1 as scored, 0 as exported, 0 as quarantined from scored.runs
)

select
    export,
    source,
    sig_hash,
    sum(scored) as scored,
    sum(exported) as exported,
    sum(quarantined) as quarantined
from settled
group by
    export,
    source,
    sig_hash
having
    sum(scored) <> 1
    or sum(exported) + sum(quarantined) <> 1
