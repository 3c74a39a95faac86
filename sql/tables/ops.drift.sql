-- What changed against the run before (DriftReport v1).
-- grain: one row per run and metric

create table ops.drift (
    run_id varchar not null, -- the run
    previous_run_id varchar, -- the run it is held against
    metric varchar not null, -- such as scored.runs/category/accepted, or evidence.records/added
    before double, -- value in the run before
    after double, -- value in this run
    pct_change double, -- in percent of the value before; null where there was none
    level varchar not null, -- ok, warn or alert
    cause varchar -- input, sql or both, where something changed
);
