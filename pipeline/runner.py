"""A run from its lock to its snapshot: recover what a killed run left, do the stages, publish, or publish nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pipeline import advice, drift, remembered
from pipeline.collect.sources import must_be_there
from pipeline.disk import make_writable, replace_file
from pipeline.errors import DistillError, GateError, WarehouseError
from pipeline.export import files
from pipeline.export.corpora import EXPORTS
from pipeline.folders import must_be_apart
from pipeline.models.tables import is_chronicle
from pipeline.reports import receipts
from pipeline.reports.receipts import Receipt
from pipeline.reports.summary import summary_page
from pipeline.run import Reporter, Run
from pipeline.session import make_places, opened, publish, recover
from pipeline.settings import Settings, opened_gates
from pipeline.stages import COLLECT, COMMANDS, LAND, Stage
from pipeline.store import foreign, owner, snapshots
from pipeline.store.contents import Content, combined_hash
from pipeline.store.delta import must_be_usable, nowhere
from pipeline.store.snapshots import Snapshot, StageState
from pipeline.turns import table_of, take_turns
from pipeline.upkeep import compaction


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `failure` is what stopped it, where something did."""

    run_id: str
    summary: dict[str, Any]
    drift: dict[str, Any] | None
    receipts: list[dict[str, Any]]
    failure: DistillError | None
    notes: tuple[str, ...] = ()
    open_gates: tuple[str, ...] = ()


def run_stages(settings: Settings, reporter: Reporter, command: str = "run-all") -> Outcome:
    """Runs the stages of a command and publishes what they made. Raises LockedError while another run is at work."""
    with advice.at(**{name: getattr(settings, name) for name in advice.FOLDERS}):
        lists = remembered.read_lists(settings)
        _look_ahead(settings, COMMANDS[command])
        return _run(settings, reporter, command, lists)


def _run(settings: Settings, reporter: Reporter, command: str, lists: Mapping[str, bytes]) -> Outcome:
    drafting = any(stage.drafts for stage in COMMANDS[command])
    with opened(settings, reporter, drafting=drafting) as run:
        try:
            recover(run)
            run.table_stamps.write()
            before = run.before
            run.settings = remembered.settled(
                run.settings, before.state if before is not None else {}, before.run_id if before is not None else None, lists
            )
            run.state |= remembered.noted(run.settings)
            remembered.advise(run.store.root, run.state)
            kept, failure = take_turns(run, COMMANDS[command])
            return _settle(run, kept, failure)
        finally:
            files.abandon(run)


def _look_ahead(settings: Settings, wanted: Sequence[Stage]) -> None:
    """Fails where a folder has a wrong name before anything is made: later, what was made would be in vain or in the way."""
    must_be_apart(settings, with_data=True)
    must_be_usable(settings.warehouse)
    if not any(settings.warehouse.glob("*/*/_delta_log")):
        if wanted[0] not in (COLLECT, LAND):
            raise nowhere(settings.warehouse)
        must_be_there(settings.data)
        owner.must_be_free(settings, [export.file for export in EXPORTS])
    make_writable(settings.reports)
    settings.warehouse.mkdir(parents=True, exist_ok=True)


def _settle(run: Run, kept: list[tuple[Receipt, StageState | None]], failure: DistillError | None) -> Outcome:
    """Writes receipts, summary and drift; publishes a snapshot where every stage came through."""
    done = [receipt for receipt, _ in kept]
    stages = {state.name: state for _, state in kept if state is not None}
    report = None
    run_hash = None
    if failure is None:
        _put_files_together(run, done)
        files.wait_for_files(run)
        metrics = drift.metrics_of(run.state.setdefault("counts", {}), done)
        report = drift.report(run, done, stages, metrics)
        if report["deterministic_violation"]:
            failure = GateError("the same input and the same SQL gave another result; see drift.json; nothing was published")
        run.state["metrics"] = metrics
        run_hash = _run_hash(run)
        failure = failure or _obstacle(run)
    ended = datetime.now(UTC)
    summary = receipts.summary(run.run_id, run.started_at, done, ended, run_hash, failure is None)
    documents = [receipt.as_json() for receipt in done]
    _write(run, documents, summary, report, ended)
    notes: tuple[str, ...] = ()
    if failure is None:
        notes = _publish(run, stages, str(run_hash), ended)
    else:
        files.abandon(run)
        recover(run)
    gates = tuple(opened_gates(vars(run.settings.gates)))
    return Outcome(run.run_id, summary, report, documents, failure, notes, gates)


def _obstacle(run: Run) -> DistillError | None:
    """Returns what another tool wrote meanwhile, or what would keep files from being moved to where they belong: a run is not
    said to have passed, and then fails.
    """
    try:
        foreign.refuse(run.store, run.since)
        make_places(run)
    except (WarehouseError, OSError) as error:
        files.drop_drafts(run.settings.exports)
        if isinstance(error, WarehouseError):
            return error
        return WarehouseError(f"{error.filename}: {error.strerror}; {advice.try_again()}")
    return None


def _put_files_together(run: Run, done: Sequence[Receipt]) -> None:
    """Receipts name the versions that are published: those that came out of it."""
    compaction.compact(run)
    for receipt in done:
        for tables in (receipt.inputs, receipt.outputs):
            tables[:] = [table_of(run, table["name"]) for table in tables]


def _run_hash(run: Run) -> str:
    derived = [name for name in run.store.tables if not is_chronicle(name) and name != "raw.files"]
    return combined_hash({name: run.content(name).sha256 for name in derived})


def _write(
    run: Run, documents: list[dict[str, Any]], summary: dict[str, Any], report: dict[str, Any] | None, ended: datetime
) -> None:
    folder = run.settings.reports / run.run_id
    for document in documents:
        receipts.write_report(folder, f"{document['stage']}.json", document)
    receipts.write_report(folder, "summary.json", summary)
    if report is not None:
        receipts.write_report(folder, "drift.json", report)
    page = summary_page(summary, documents, report)
    replace_file(folder / "summary.md", page.encode())
    store, mark = run.store, {"run_id": run.run_id}
    store.append("ops.receipts", _rows(run, "ops.receipts", [_receipt_row(d) for d in documents]), mark)
    row = {
        "schema_version": 1,
        "run_id": run.run_id,
        "started_at": run.started_at,
        "ended_at": ended,
        "overall_passed": summary["overall_passed"],
        **summary["datasets"],
        "total_quarantined": summary["total_quarantined"],
        "run_hash": summary["run_hash"],
        "summary": json.dumps(summary, ensure_ascii=False),
    }
    store.append("ops.runs", _rows(run, "ops.runs", [row]), mark)
    if report is not None:
        moved = [{"run_id": run.run_id, "previous_run_id": report["previous_run_id"], **metric} for metric in report["metrics"]]
        store.append("ops.drift", _rows(run, "ops.drift", moved), mark)


def _receipt_row(document: dict[str, Any]) -> dict[str, Any]:
    counts = document["record_counts"]
    same = ("schema_version", "run_id", "stage", "status", "duration_ms", "git_sha", "input_hash", "output_hash")
    return {
        **{name: document[name] for name in same},
        "started_at": datetime.fromisoformat(document["started_at"]),
        "ended_at": datetime.fromisoformat(document["ended_at"]),
        "rows_in": counts["in"],
        "rows_out": counts["out"],
        **{name: counts[name] for name in ("skipped", "deduped", "quarantined", "capped")},
        "passed": document["validation"]["passed"],
        "receipt": json.dumps(document, ensure_ascii=False),
    }


def _rows(run: Run, table: str, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=run.store.tables[table].schema)


def _publish(run: Run, stages: dict[str, StageState], run_hash: str, ended: datetime) -> tuple[str, ...]:
    """Publishes the run; returns what went wrong after it counted."""
    contents: dict[str, Content] = {}
    for name in run.store.tables:
        if is_chronicle(name):
            contents[name] = Content(run.store.version(name))
        else:
            contents[name] = run.content(name)
    contents.pop(snapshots.SNAPSHOTS)
    snapshot = Snapshot(
        snapshot=run.before.snapshot + 1 if run.before is not None else 1,
        run_id=run.run_id,
        published_at=ended,
        kind="run",
        passed=True,
        run_hash=run_hash,
        tables=contents,
        files=run.files,
        stages=stages,
        state=run.state,
        digests={table: files for table, files in run.digests.items() if files},
    )
    return publish(run, snapshot)
