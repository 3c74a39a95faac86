-- What was taken away for good: from here on only the kept snapshots can be read or restored.
-- grain: one row per vacuum that removed something

create table ops.vacuums (
    run_id varchar not null, -- the command
    vacuumed_at timestamptz not null, -- when
    newest bigint not null, -- the newest snapshot at that time
    kept bigint[] not null, -- snapshots that were kept
    files bigint not null, -- Parquet files that were removed
    bytes bigint not null -- how much they held
);
