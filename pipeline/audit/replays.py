"""The log of replays, computed again: every row is whole, and the gate still says of its answer what it said then."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from pipeline.audit.context import Context
from pipeline.audit.examples import problems
from pipeline.replay import log, prompt
from pipeline.replay.gate import judge
from pipeline.replay.words import gate_name

SHOWN = 5


def replay_log(context: Context) -> list[str]:
    """What replays logged is whole: each row fits its schema, its hashes come out the same, and so do verdict and findings.

    Answers that another gate judged are a warning: what it would have said can't be computed any more.
    """
    run = context.run
    run.bind_now(log.TABLE)
    found: list[str] = []
    others = 0
    query = (
        f"select * replace (cast(created_at as varchar) as created_at) from {log.TABLE} order by created_at, replay_id, attempt"
    )
    with run.engine.stream(query) as batches:
        for batch in batches:
            for row in batch.to_pylist():
                if len(found) < SHOWN:
                    found += [f"{log.TABLE}: {row['replay_id']}/{row['attempt']}: {text}" for text in _flaws(row)]
                others += row["gate"] != gate_name()
    if others:
        context.warnings.append(f"{others:,} answers were judged by another gate than {gate_name()}, and not judged again")
    return found[:SHOWN]


def _flaws(row: dict[str, Any]) -> Iterator[str]:
    try:
        record = json.loads(row["record"])
    except ValueError:
        yield "its record is no JSON"
        return
    if wrong := problems(log.SCHEMA, record):
        yield f"its record does not fit the schema: {wrong[0]}"
        return
    said = log.row_of(record) | {"created_at": None, "record": None}
    odd = sorted(name for name, value in said.items() if value is not None and row[name] != value)
    if odd:
        yield f"its record says another {', '.join(odd)} than its columns"
    if hashlib.sha256(record["task"].encode()).hexdigest() != record["task_hash"]:
        yield "its task does not have the task_hash that is recorded"
    if record["gate"] == gate_name():
        yield from _judged_again(record)


def _judged_again(record: dict[str, Any]) -> Iterator[str]:
    """The prompt is made by the same release as the gate, so it is computed again along with it."""
    task, bundle = record["task"], record["bundle"]
    if prompt.hash_of(prompt.messages_for(task, bundle)) != record["prompt_hash"]:
        yield "what the model was sent does not have the prompt_hash that is recorded"
    fence = prompt.fence_of(task, bundle) if bundle["records"] else ""
    again = judge(task, bundle, record["answer"], fence)
    if (again.verdict, again.as_json(), again.claims) != (record["verdict"], record["findings"], record["claims"]):
        yield f"judged again, the answer is {again.verdict} with {len(again.findings)} findings"
