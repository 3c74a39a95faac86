"""What changed against the run before, and whether the input or the SQL is the cause."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from pipeline.models.tables import key_text, row_digest
from pipeline.reports.receipts import Receipt, validated
from pipeline.run import Run
from pipeline.store.contents import Content
from pipeline.store.snapshots import StageState

Cause = str | None


def metrics_of(counted: Mapping[str, Any], receipts: Iterable[Receipt]) -> dict[str, int]:
    """Returns every count of every stage, as it stands now, under one name each."""
    found: dict[str, int] = {f"{receipt.stage}/errors": len(receipt.errors) for receipt in receipts}
    for stage, counts in counted.items():
        for name in ("in", "out", "skipped", "deduped", "quarantined", "capped"):
            found[f"{stage}/{name}"] = counts[name]
        found |= {f"{stage}/category/{name}": amount for name, amount in counts["by_category"].items()}
        found |= {f"{stage}/reason/{name}": amount for name, amount in counts["by_reason"].items()}
    return found


def report(run: Run, receipts: list[Receipt], stages: dict[str, StageState], metrics: dict[str, int]) -> dict[str, Any]:
    """Returns the DriftReport against the newest snapshot before this run."""
    causes = _causes(run, receipts, stages)
    before = run.before.state.get("metrics", {}) if run.before is not None else {}
    rows = _metrics(run, before, metrics)
    for row in rows:
        moved = (row["before"] or 0) != (row["after"] or 0)
        row["cause"] = causes.get(row["metric"].split("/")[0]) if moved and run.before is not None else None
    violations = _violations(run, stages)
    levels = {row["level"] for row in rows}
    return validated(
        "drift_report.v1",
        {
            "schema_version": 1,
            "run_id": run.run_id,
            "previous_run_id": run.before.run_id if run.before is not None else None,
            "threshold_pct": run.settings.drift_threshold,
            "level": "alert" if violations else "warn" if "warn" in levels else "ok",
            "deterministic_violation": bool(violations),
            "metrics": rows,
            "tables": _tables(run, receipts, causes),
        },
    )


def _metrics(run: Run, before: dict[str, int], after: dict[str, int]) -> list[dict[str, Any]]:
    for name, held in (("before.metrics", before), ("after.metrics", after)):
        columns = {"metric": pa.array(list(held), pa.string()), "amount": pa.array(list(held.values()), pa.float64())}
        run.engine.bind_arrow(name, pa.table(columns))
    options = {"drift_threshold": [run.settings.drift_threshold], "has_previous": [run.before is not None]}
    run.engine.bind_arrow("run.drift_options", pa.table(options))
    return run.engine.rows(run.library["drift/metrics"].sql)


def _causes(run: Run, receipts: list[Receipt], stages: dict[str, StageState]) -> dict[str, Cause]:
    """Returns per stage what changed at the root of it: the files and switches, the SQL, or both."""
    found: dict[str, Cause] = {}
    for receipt in receipts:
        behind = [receipt.stage, *_behind(receipt.stage)]
        was = run.before.stages if run.before is not None else {}
        sql = any(name in was and name in stages and was[name].fingerprint != stages[name].fingerprint for name in behind)
        given = any(name in was and name in stages and was[name].given_hash != stages[name].given_hash for name in behind)
        found[receipt.stage] = "both" if sql and given else "sql" if sql else "input" if given else None
    return found


def _behind(stage: str) -> tuple[str, ...]:
    of_rag = ("collect", "score", "export-rag")
    behind = {"collect": (), "score": ("collect",), "extract-playbooks": of_rag, "index": of_rag}
    return behind.get(stage, ("collect", "score"))


def _violations(run: Run, stages: dict[str, StageState]) -> list[str]:
    was = run.before.stages if run.before is not None else {}
    return [
        name
        for name, now in stages.items()
        if name in was
        and (was[name].input_hash, was[name].fingerprint) == (now.input_hash, now.fingerprint)
        and was[name].output_hash != now.output_hash
    ]


def _tables(run: Run, receipts: list[Receipt], causes: dict[str, Cause]) -> list[dict[str, Any]]:
    made_by: dict[str, list[str]] = {"raw.lines": ["collect"]}
    for receipt in receipts:
        for output in receipt.outputs:
            if output["name"] in run.store.tables:
                made_by.setdefault(output["name"], []).append(receipt.stage)
    rows = []
    for table, makers in sorted(made_by.items()):
        before = run.before.tables.get(table) if run.before is not None else None
        now = run.content(table)
        change = difference(run, table, before, now)
        rows.append(
            {
                "table": table,
                "version_before": before.delta_version if before is not None else None,
                "version_after": now.delta_version,
                **change,
                "cause": ("input" if table == "raw.lines" else _joint(causes, makers))
                if any(change.values()) and before is not None
                else None,
            }
        )
    return rows


def _joint(causes: dict[str, Cause], stages: list[str]) -> Cause:
    found = {causes.get(stage) for stage in stages} - {None}
    return None if not found else found.pop() if len(found) == 1 else "both"


def difference(run: Run, table: str, before: Content | None, now: Content) -> dict[str, int]:
    """Returns the rows added, removed and changed. Files that both versions share are not read."""
    if before is not None and before.sha256 == now.sha256:
        return {"added": 0, "removed": 0, "changed": 0}
    old = set(run.store.read(table, before.delta_version).files) if before is not None else set()
    new = set(run.store.read(table, now.delta_version).files)
    if not old - new:
        return {"added": now.rows - (before.rows if before is not None else 0), "removed": 0, "changed": 0}
    declared = run.store.tables[table]
    for name, files in (("before", old - new), ("after", new - old)):
        run.engine.bind(f"{name}.rows", sorted(files), declared.schema)
        keyed = f"select {key_text(declared)} as key, {row_digest(declared)} as digest from {name}.rows"
        run.engine.define(f"{name}.keyed", keyed)
    (row,) = run.engine.rows(run.library["drift/rows"].sql)
    return {name: int(row[name] or 0) for name in ("added", "removed", "changed")}
