-- What each model is worth on each type of task, over all streams: verdicts with their 95 % Wilson intervals, times, costs.
-- Records that name no model are not in it.
-- grain: one row per model and type of task
-- key: model_name, task_type

create table scored.model_ledger (
    model_name varchar not null, -- the model, without white space around its name
    task_type varchar not null, -- the stream, or of a stream of measured calls what each row says
    model_provider varchar, -- who ran the model, where all records that say so agree
    providers bigint not null, -- how many different ones are named
    records bigint not null, -- records of this model and type of task
    judged bigint not null, -- those that do not wait for a human
    accepted_of_judged double, -- accepted ones among the judged; null where none is judged
    accepted_of_judged_low double, -- lower end of its interval: what models are ranked by
    accepted_of_judged_high double, -- upper end
    accepted bigint not null, -- accepted records
    accepted_share double not null, -- their share of all records, 0 to 1
    accepted_low double not null, -- lower end of its interval
    accepted_high double not null, -- upper end
    partially_accepted bigint not null, -- partially accepted records
    partially_accepted_share double not null, -- their share of all records
    partially_accepted_low double not null, -- lower end of its interval
    partially_accepted_high double not null, -- upper end
    rejected bigint not null, -- rejected records
    rejected_share double not null, -- their share of all records
    rejected_low double not null, -- lower end of its interval
    rejected_high double not null, -- upper end
    needs_human_review bigint not null, -- records that wait for a human
    needs_human_review_share double not null, -- their share of all records
    needs_human_review_low double not null, -- lower end of its interval
    needs_human_review_high double not null, -- upper end
    latency_records bigint not null, -- records whose latency is known
    latency_ms_p50 double, -- the latency that half of these stay below, in milliseconds
    latency_ms_p90 double, -- that nine of ten stay below
    latency_ms_p99 double, -- that 99 of 100 stay below
    cost_records bigint not null, -- records whose cost is known
    cost_usd_p50 double, -- the cost that half of these stay below, in US dollars
    cost_usd_p90 double, -- that nine of ten stay below
    cost_usd_p99 double, -- that 99 of 100 stay below
    cost_usd_total double, -- what they cost together
    cost_usd_per_accepted double, -- that, for each of them that was accepted; null where none was
    first_seen_at timestamptz not null, -- occurred_at of the oldest record
    last_seen_at timestamptz not null, -- and of the newest
    check (records = accepted + partially_accepted + rejected + needs_human_review),
    check (judged = accepted + partially_accepted + rejected)
);
