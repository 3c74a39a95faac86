-- Records about one subject, one stream's accepted beside another's rejected: who has a partner, and which place.
-- grain: one row per record with a partner
-- version: 3

select
    gates.source,
    gates.task_id,
    gates.occurred_at,
    gates.category,
    gates.sig_hash,
    gates.subject,
    gates.instruction_is_blank,
    gates.instruction_key,
    gates.content_key,
    row_number() over (
        partition by gates.subject, gates.category
        order by gates.occurred_at, gates.sig_hash, gates.source
    ) as place
from exports.preference_gates as gates
inner join exports.cross_stream_partners as partners
    on
        gates.source = partners.source
        and gates.sig_hash = partners.sig_hash
