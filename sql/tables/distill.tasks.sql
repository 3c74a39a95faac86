-- Tasks whose answers can be run, as they were added. A set never changes: an edited one is another.
-- grain: one row per set, its hash and task

create table distill.tasks (
    schema_version integer not null, -- 1
    set_name varchar not null, -- the set
    set_sha256 varchar not null, -- over what its tasks ask and expect, in whatever order
    task_id varchar not null, -- the task, within its set
    role varchar not null, -- hold_out, instrument or practice
    family varchar not null, -- which of them are alike; empty where nobody said so
    prompt varchar not null, -- what a model is asked
    entry_point varchar not null, -- the function to write
    calls varchar[] not null, -- calls of it, with literals
    expected varchar not null, -- what they return, as a JSON list
    reference varchar, -- code that returns it
    written_at timestamptz not null, -- when the task was written
    source varchar not null, -- where it comes from
    added_at timestamptz not null, -- when the set was added here
    check (role in ('hold_out', 'instrument', 'practice'))
);
