-- The page that lists all playbooks, those with most evidence first.
-- grain: one row
-- version: 1

with entries as (
    select
        id,
        0 - accepted - partially_accepted as place,
        accepted + partially_accepted as records,
        '| [' || markdown(cut(title, 100)) || '](' || file || ') | ' || accepted || ' | ' || partially_accepted || ' | '
        || steps_in_all || ' | ' || day(last_seen_at) || ' |' as entry
    from exports.playbooks
)

select
    '# Playbooks' || chr(10) || chr(10)
    || count(*) || ' playbooks of ' || coalesce(sum(records), 0)
    || ' records. Each is drawn from what the retrieval corpus let out: nothing rejected, nothing that waits for a human.'
    || chr(10) || 'distill writes these pages from `exports.playbooks`; it replaces what is changed here.'
    || chr(10) || chr(10)
    || '| playbook | accepted | partially accepted | steps to verify | last seen |' || chr(10)
    || '|---|--:|--:|--:|---|' || chr(10)
    || coalesce(joined(entry, chr(10), place, id) || chr(10), '') as page
from entries
