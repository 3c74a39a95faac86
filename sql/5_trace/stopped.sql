-- What was stopped on its way out of the traced lines: by a gate, or for coming too late in its task or subject.
-- A pair that was stopped names its chosen side in its columns, and the other one at the end of its detail.
-- grain: one row per stopped record or pair, and side
-- version: 1

select
    stopped.export,
    stopped.reason,
    stopped.detail,
    case when stopped.detail like 'pref-%' then 'chosen' else 'row' end as side,
    places.source_file,
    places.line_offset
from exports.quarantine as stopped
inner join run.places as places
    on
        stopped.source_file = places.source_file
        and stopped.line_offset = places.line_offset

union all

select
    stopped.export,
    stopped.reason,
    stopped.detail,
    'rejected' as side,
    places.source_file,
    places.line_offset
from exports.quarantine as stopped
inner join run.places as places
    on ends_with(stopped.detail, ', ' || places.sig_hash || ')')
where
    stopped.export = 'preference'
    and stopped.detail like 'pref-%'

union all

select
    'preference' as export,
    'capped' as reason,
    capped.id || ' came after the last pair that its task or subject may have' as detail,
    'chosen' as side,
    places.source_file,
    places.line_offset
from exports.capped as capped
inner join run.places as places
    on
        capped.chosen_source = places.source
        and capped.chosen_sig_hash = places.sig_hash

union all

select
    'preference' as export,
    'capped' as reason,
    capped.id || ' came after the last pair that its task or subject may have' as detail,
    'rejected' as side,
    places.source_file,
    places.line_offset
from exports.capped as capped
inner join run.places as places
    on
        capped.rejected_source = places.source
        and capped.rejected_sig_hash = places.sig_hash
