-- The page that lists the playbooks, those with most evidence first; no more than people read and a browser shows.
-- Only those with so much evidence that they may be among them are put in order.
-- grain: one row
-- version: 1

with known as (
    select
        id as playbook_id,
        title,
        accepted,
        partially_accepted,
        accepted + partially_accepted as records,
        steps_in_all,
        last_seen_at,
        file
    from exports.playbooks
),

amounts as (
    select
        records,
        count(*) as playbooks
    from known
    group by records
),

running as (
    select
        amounts.records,
        sum(others.playbooks) as playbooks
    from amounts
    inner join amounts as others
        on amounts.records <= others.records
    group by amounts.records
),

least as (
    select coalesce(max(records), 0) as records
    from running
    where playbooks >= 1000
),

ranked as (
    select
        known.playbook_id,
        row_number() over (order by known.records desc, known.playbook_id) as place
    from known
    inner join least
        on known.records >= least.records
),

entries as (
    select
        ranked.place,
        '| [' || markdown(cut(known.title, 100)) || '](' || known.file || ') | ' || known.accepted || ' | '
        || known.partially_accepted || ' | ' || known.steps_in_all || ' | ' || day(known.last_seen_at) || ' |' as entry
    from known
    inner join ranked
        on known.playbook_id = ranked.playbook_id
    where ranked.place <= 1000
),

listed as (
    select array_to_string(in_order(place, entry), chr(10)) || chr(10) as lines
    from entries
),

counted as (
    select
        count(*) as playbooks,
        coalesce(sum(records), 0) as records
    from known
)

select
    '# Playbooks' || chr(10) || chr(10)
    || counted.playbooks || ' playbooks of ' || counted.records
    || ' records. Each is drawn from what the retrieval corpus let out: nothing rejected, nothing that waits for a human.'
    || chr(10) || 'distill writes these pages from `exports.playbooks`; it replaces what is changed here.'
    || case
        when counted.playbooks > 1000
            then
                chr(10) || 'Listed are the 1000 with most evidence; `distill sql "select title, file from exports.playbooks"`'
                || ' names all of them.'
        else ''
    end
    || chr(10) || chr(10)
    || '| playbook | accepted | partially accepted | steps to verify | last seen |' || chr(10)
    || '|---|--:|--:|--:|---|' || chr(10)
    || coalesce(listed.lines, '') as page
from counted
cross join listed
