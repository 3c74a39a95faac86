-- Which versions of all tables belong together. The newest row is what readers see; it is a run's last commit.
-- grain: one row per published run

create table ops.snapshots (
    snapshot bigint not null, -- counts up from 1
    run_id varchar not null, -- the run that published it
    published_at timestamptz not null, -- when
    kind varchar not null, -- run or restore
    passed boolean not null, -- did every gate and check pass
    run_hash varchar not null, -- hash of everything published
    tables struct("name" varchar, delta_version bigint, "rows" bigint, sha256 varchar)[] not null, -- versions that belong together
    files struct("path" varchar, bytes bigint, "rows" bigint, sha256 varchar)[] not null, -- the export files
    restored_run_id varchar, -- of a restore: the run whose state it brought back
    undone_run_ids varchar[], -- of a restore: the published runs that it took back
    stages struct("name" varchar, given_hash varchar, input_hash varchar, output_hash varchar, fingerprint varchar)[] not null, -- what each stage was made from
    state varchar not null, -- JSON for the machine: how to go on from here
    digests varchar not null -- JSON for the machine: per table the Parquet files that are new, each with its rows and digest
);
