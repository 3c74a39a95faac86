-- Pairs that passed every gate, but came after the last that their task or subject may have: counted, not exported.
-- grain: one row per capped pair
-- key: task_id, id

create table exports.capped (
    task_id varchar not null, -- the task of the chosen record
    id varchar not null, -- the id that the pair would have
    reason varchar not null, -- as in exports.preference
    chosen_source varchar not null, -- stream of the chosen record
    chosen_sig_hash varchar not null, -- sha256 of its row
    rejected_source varchar not null, -- stream of the other record
    rejected_sig_hash varchar not null -- sha256 of its row
);
