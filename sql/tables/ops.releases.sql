-- States that were frozen under a name: what they are made of stays, whatever is vacuumed.
-- grain: one row per release

create table ops.releases (
    name varchar not null, -- the name, each only once
    snapshot bigint not null, -- the snapshot that it names
    run_id varchar not null, -- the run of that snapshot
    frozen_at timestamptz not null, -- when
    manifest varchar not null -- the whole manifest as JSON
);
