"""A run from its lock to its snapshot: recover what a killed run left, do the stages, publish, or publish nothing."""

import json
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pipeline import drift, keyboard
from pipeline.collect.sources import must_be_there
from pipeline.disk import make_writable, replace_file
from pipeline.errors import TRY_AGAIN, DistillError, GateError, ModelError, WarehouseError
from pipeline.export import files
from pipeline.index import indexing
from pipeline.models.tables import is_chronicle
from pipeline.reports import receipts
from pipeline.reports.receipts import Receipt, iso
from pipeline.reports.summary import summary_page
from pipeline.run import Reporter, Run
from pipeline.session import make_places, opened, publish, recover
from pipeline.settings import Settings
from pipeline.stages import COLLECT, COMMANDS, LAND, STAGES, Stage, models_hash
from pipeline.store import snapshots
from pipeline.store.contents import Content, combined_hash
from pipeline.store.delta import locked, nowhere
from pipeline.store.snapshots import Snapshot, StageState
from pipeline.upkeep import compaction
from pipeline.version import git_sha

BEHIND = "is behind: what it is made of changed since; `distill run-all` brings it up"
NOT_DONE = "was not done yet; `distill run-all` does what is missing"
# So many lines that were skipped are named where none is allowed.
SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `failure` is what stopped it, where something did."""

    run_id: str
    summary: dict[str, Any]
    drift: dict[str, Any] | None
    receipts: list[dict[str, Any]]
    failure: DistillError | None
    notes: tuple[str, ...] = ()


def run_stages(settings: Settings, reporter: Reporter, command: str = "run-all") -> Outcome:
    """Runs the stages of a command and publishes what they made. Raises LockedError while another run is at work."""
    _look_ahead(settings, COMMANDS[command])
    with locked(settings.warehouse), opened(settings, reporter) as run:
        try:
            recover(run)
            kept, failure = _execute(run, COMMANDS[command])
            return _settle(run, kept, failure)
        finally:
            files.abandon(run)


def _look_ahead(settings: Settings, wanted: Sequence[Stage]) -> None:
    """Fails where a folder has a wrong name before anything is made: later, what was made would be in vain or in the way."""
    if not any(settings.warehouse.glob("*/*/_delta_log")):
        if wanted[0] not in (COLLECT, LAND):
            raise nowhere(settings.warehouse)
        must_be_there(settings.data)
    make_writable(settings.reports)
    settings.warehouse.mkdir(parents=True, exist_ok=True)


_Steps = Generator[None, None, StageState | None]


@dataclass
class _Turn:
    """A stage in a run: its receipt, its state as it was published or is now, the steps that are left, and what stopped it."""

    stage: Stage
    receipt: Receipt
    state: StageState | None
    steps: _Steps | None = None
    error: DistillError | None = None


@dataclass
class _Sequence:
    """The stages of a run in their order. One whose file is being put together lets others begin, until one needs it.

    begun:  those that are not concluded yet, the first first
    failed: names of those that failed, or that need one which did
    behind: names of those whose inputs changed since they were done
    """

    run: Run
    asked: Mapping[str, Stage]
    begun: deque[_Turn] = field(default_factory=deque)
    concluded: list[_Turn] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    behind: set[str] = field(default_factory=set)
    failure: DistillError | None = None

    def begin(self, stage: Stage) -> None:
        name, before = stage.name, self.run.before
        if any(turn.stage.name in stage.needs for turn in self.begun):
            self.end()
        receipt = Receipt(self.run.run_id, name, datetime.now(UTC), git_sha())
        turn = _Turn(stage, receipt, before.stages.get(name) if before is not None else None)
        if self.failed & set(stage.needs):
            self.failed.add(name)
        elif name in self.asked:
            turn.steps = _do(self.run, stage, receipt, turn.state)
            self._go_on(turn)
        else:
            _leave(self.run, stage, receipt, turn.state)
        self.begun.append(turn)
        while self.begun and self.begun[0].steps is None:
            self._conclude(self.begun.popleft())

    def end(self) -> None:
        """Does what is left of all that were begun."""
        while self.begun:
            self._go_on(self.begun[0])
            self._conclude(self.begun.popleft())

    def _go_on(self, turn: _Turn) -> None:
        if turn.steps is None:
            return
        self.run.reporter.stage(turn.stage.name)
        since = datetime.now(UTC)
        try:
            next(turn.steps)
            turn.receipt.worked += datetime.now(UTC) - since
            keyboard.heed()
            return
        except StopIteration as done:
            turn.state = done.value
        except DistillError as error:
            turn.receipt.status = "failed"
            turn.receipt.errors.append(str(error))
            turn.error = error
            self.failed.add(turn.stage.name)
        turn.steps, turn.receipt.ended_at = None, datetime.now(UTC)
        turn.receipt.worked += turn.receipt.ended_at - since

    def _conclude(self, turn: _Turn) -> None:
        name, receipt = turn.stage.name, turn.receipt
        receipt.ended_at = receipt.ended_at or datetime.now(UTC)
        self.failure = self.failure or turn.error
        if name not in self.failed and _is_behind(self.run, turn.stage, turn.state, self.behind):
            self.behind.add(name)
            receipt.warnings.append(BEHIND if turn.state is not None else NOT_DONE)
        if name in self.asked:
            self.run.reporter.done(receipt)
        self.concluded.append(turn)
        keyboard.heed()


def _execute(run: Run, wanted: Sequence[Stage]) -> tuple[list[tuple[Receipt, StageState | None]], DistillError | None]:
    asked = {stage.name: stage for stage in wanted}
    sequence = _Sequence(run, asked)
    for stage in STAGES:
        sequence.begin(asked.get(stage.name, stage))
    sequence.end()
    return [(turn.receipt, turn.state) for turn in sequence.concluded], sequence.failure


def _leave(run: Run, stage: Stage, receipt: Receipt, state: StageState | None) -> None:
    """Fills the receipt of a stage that this run was not asked for: it stands as it was published, if it was."""
    if state is not None:
        receipt.record_counts = run.state["counts"][stage.name]
        receipt.input_hash, receipt.output_hash = state.input_hash, state.output_hash
        receipt.outputs = [_table(run, name) for name in stage.outputs]


def _is_behind(run: Run, stage: Stage, state: StageState | None, behind: set[str]) -> bool:
    """True where what a stage reads changed since it was done.

    Who does stages one by one publishes a corpus beside newer scores: that must not look as if all was well.
    """
    if state is None or behind & set(stage.needs):
        return True
    return state.input_hash != _input_hash(state.given_hash, [_table(run, name) for name in stage.inputs])


def _input_hash(given: str, inputs: Sequence[dict[str, Any]]) -> str:
    return combined_hash({"given": given, **{table["name"]: table["sha256"] for table in inputs}})


def _do(run: Run, stage: Stage, receipt: Receipt, before: StageState | None) -> _Steps:
    """Does a stage, and stops once where others may have their turn before the rest."""
    given = combined_hash(stage.prepare(run, receipt))
    compiled = stage.models(run)
    fingerprint = models_hash(compiled)
    receipt.models = [
        {"name": model.name, "version": model.version, "fingerprint": model.fingerprint}
        for _, model in sorted(compiled.items())
    ]
    receipt.inputs = [_table(run, name) for name in stage.inputs]
    receipt.input_hash = _input_hash(given, receipt.inputs)
    made_of = (receipt.input_hash, fingerprint)
    if not stage.settles:
        receipt.status = "ran"
        receipt.record_counts = stage.count(run, compiled)
        receipt.outputs = [_table(run, name) for name in stage.outputs]
        return before
    if before is not None and (before.input_hash, before.fingerprint) == made_of and stage.intact(run):
        receipt.status = "unchanged"
        receipt.record_counts = run.state["counts"][stage.name]
    else:
        rest = stage.build(run, compiled, combined_hash({"given": given, "sql": fingerprint}))
        if rest is not None:
            yield
            rest()
        receipt.status = "ran"
        receipt.record_counts = stage.count(run, compiled)
        run.state.setdefault("counts", {})[stage.name] = receipt.record_counts
        _check(run, stage)
        stage.confirm(run)
    _warn(run, stage, receipt)
    receipt.outputs = [_table(run, name) for name in stage.outputs]
    receipt.output_hash = combined_hash({table["name"]: table["sha256"] for table in receipt.outputs})
    return StageState(stage.name, given, receipt.input_hash, receipt.output_hash, fingerprint)


def _warn(run: Run, stage: Stage, receipt: Receipt) -> None:
    if stage.name != "collect":
        return
    receipt.warnings += [f"versions.lock: {finding}" for finding in run.library.unlocked()]
    for name, held in receipt.record_counts["by_stream"].items():
        if "unmapped" in held:
            receipt.warnings.append(f"stream {name} has no model and stays in raw.lines; add sql/1_evidence/{name}.sql")
    if skipped := receipt.record_counts["skipped"]:
        finding = f"{skipped} line{'s were' if skipped > 1 else ' was'} skipped"
        if run.settings.strict:
            raise GateError(f"{finding}, and --strict allows none: {_skips(run, skipped)}")
        receipt.warnings.append(f'{finding}; see `distill sql "select * from evidence.skips"`')


def _skips(run: Run, amount: int) -> str:
    """Names the first lines that were skipped: the table that has all of them is not published."""
    run.bind_now("evidence.skips")
    first = run.engine.rows(
        "select source_file, line_offset, reason, detail from evidence.skips "
        f"order by source_file, line_offset, line_sha256 limit {SHOWN}"
    )
    named = [
        f"{row['source_file']} line {row['line_offset'] + 1} ({': '.join(filter(None, (row['reason'], row['detail'])))})"
        for row in first
    ]
    return ", ".join(named) + (f" and {amount - SHOWN:,} more" if amount > SHOWN else "")


def _check(run: Run, stage: Stage) -> None:
    """Runs the checks of a stage: each selects the rows that break a rule."""
    for model in run.library.room("checks"):
        if model.head("stage") == stage.name:
            try:
                broken = run.engine.rows(f"select * from ({model.sql}) limit 5")
            except ModelError as error:
                raise GateError(f"check {model.stem} of {stage.name} can't be made; nothing was published: {error}") from error
            if broken:
                shown = json.dumps(broken, default=str, ensure_ascii=False)
                raise GateError(f"check {model.stem} of {stage.name} found rows that break it: {shown}; nothing was published")


def _table(run: Run, name: str) -> dict[str, Any]:
    if name == indexing.NAME:
        return indexing.output(run)
    table, _, part = name.partition("/")
    content = run.content(table) if not part else run.part(table, part)
    return {"name": table, "delta_version": content.delta_version, "rows": content.rows, "sha256": content.sha256}


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
    return Outcome(run.run_id, summary, report, documents, failure, notes)


def _obstacle(run: Run) -> DistillError | None:
    """Returns what would keep files from being moved to where they belong: a run is not said to have passed, and then fails."""
    try:
        make_places(run)
    except OSError as error:
        files.drop_drafts(run.settings.exports)
        return WarehouseError(f"{error.filename}: {error.strerror}; {TRY_AGAIN}")
    return None


def _put_files_together(run: Run, done: Sequence[Receipt]) -> None:
    """Receipts name the versions that are published: those that came out of it."""
    compaction.compact(run)
    for receipt in done:
        for tables in (receipt.inputs, receipt.outputs):
            tables[:] = [_table(run, table["name"]) for table in tables]


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


__all__ = ["Outcome", "iso", "run_stages"]
