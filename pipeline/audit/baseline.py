"""Ten numbers of every audit, kept for ever: rows are only added, and each is chained to the one before."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from pipeline.errors import WarehouseError
from pipeline.reports.receipts import iso
from pipeline.run import Run
from pipeline.store.snapshots import AUDITS, FIRST, in_order

# In the commits of the history: how many rows there are with this one.
NUMBER = "audit number"
MIRROR = "audit-baselines.jsonl"


@dataclass(frozen=True)
class Metric:
    """A number now, None where it can't be read, and at the audit before; its level is ok, or warn for a swing."""

    name: str
    before: int | None
    now: int | None
    level: str


def numbers(run: Run) -> dict[str, int | None]:
    """Returns the ten metrics of what is published; None for all of them where a table is damaged."""
    tables = ("evidence.records", "evidence.skips", "scored.runs", "exports.rag", "exports.sft", "exports.preference")
    try:
        run.bind_now(*tables, "exports.quarantine")
        (row,) = run.engine.rows(run.library["drift/baseline"].sql)
    except WarehouseError:
        return {name: None for name in run.store.tables[AUDITS].schema.names if re.match("p[0-9]_", name)}
    return {name: int(value) for name, value in row.items()}


def compare(run: Run, threshold: float) -> tuple[Metric, ...]:
    """Returns the metrics beside those of the last audit; `threshold` is in percent."""
    before = history(run)
    found = []
    for name, now in numbers(run).items():
        was = before[-1][name] if before else None
        swing = was is not None and (now is None or abs(now - was) > threshold / 100 * abs(was))
        found.append(Metric(name, was, now, "warn" if swing else "ok"))
    return tuple(found)


def history(run: Run) -> list[dict[str, Any]]:
    """Returns all rows, in the order in which they were committed."""
    run.bind_now(AUDITS)
    return in_order(run.store, run.engine.rows(f"select * from {AUDITS}"))


def append(
    run: Run, audit_id: str, at: datetime, passed: bool, found: dict[str, int | None], verdicts: list[dict[str, Any]]
) -> None:
    """Adds a row, chained to the last one, and the same as a line to a file beside the reports."""
    assert run.before is not None
    rows = history(run)
    row: dict[str, Any] = {
        "schema_version": 1,
        "audit_id": audit_id,
        "audited_at": at,
        "snapshot": run.before.snapshot,
        "run_id": run.before.run_id,
        "passed": passed,
        **found,
        "checks": json.dumps(verdicts, ensure_ascii=False),
        "previous_sha256": rows[-1]["row_sha256"] if rows else FIRST,
    }
    row["row_sha256"] = row_sha256(row)
    table = pa.Table.from_pylist([row], schema=run.store.tables[AUDITS].schema)
    run.store.append(AUDITS, table, {"run_id": run.run_id, NUMBER: str(len(rows) + 1)})
    path = run.settings.reports / MIRROR
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row | {"audited_at": iso(at)}) + "\n")


def row_sha256(row: dict[str, Any]) -> str:
    """Returns the hash over a row and, by `previous_sha256`, over all before it."""
    held = {name: value for name, value in row.items() if name != "row_sha256"} | {"audited_at": iso(row["audited_at"])}
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def flaws(run: Run) -> list[str]:
    """Returns what shows that rows of the history were changed or taken away."""
    rows, found = history(run), []
    # Where a clock went back, older releases named another one as the last: each has to name one before it.
    before = {FIRST}
    for row in rows:
        if row["previous_sha256"] not in before or row_sha256(row) != row["row_sha256"]:
            found.append(
                f"{AUDITS}: the row of audit {row['audit_id']} is not the one that was written, or one before it is gone"
            )
        before = (before | {row["row_sha256"]}) - {FIRST}
    said = next((int(commit[NUMBER]) for commit in run.store.history(AUDITS) if NUMBER in commit), 0)
    if said and said != len(rows):
        found.append(f"{AUDITS}: holds {len(rows)} rows, but {said} were written")
    path = run.settings.reports / MIRROR
    kept = {row["row_sha256"] for row in rows}
    if path.is_file():
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        gone = [line["audit_id"] for line in lines if line["row_sha256"] not in kept]
        found += [f"{AUDITS}: audit {audit_id}, which {path} names, is gone" for audit_id in gone]
    return found
