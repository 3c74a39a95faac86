-- The records that have no score any more since an export was made. Nothing is known of them here, so nothing can be found by
-- them: everything is decided again. Of the models that come along, none loses a score.
-- grain: one row per record
-- version: 1

select
    changed.source,
    changed.sig_hash
from run.changed as changed
left join exports.keys as keys
    on pair_hash(changed.source, changed.sig_hash) = keys.record
where keys.record is null
