"""The stages of a run, one after the other: what each needs, whether it is to be done, its checks and its receipt."""

import json
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline import advice, keyboard
from pipeline.collect.surroundings import named
from pipeline.errors import NO_MEMORY, DistillError, GateError, ModelError, WarehouseError
from pipeline.index import indexing
from pipeline.reports.receipts import Receipt
from pipeline.run import Run
from pipeline.stages import STAGES, Stage, models_hash
from pipeline.store.contents import combined_hash
from pipeline.store.snapshots import StageState
from pipeline.version import git_sha

# So many lines that were skipped are named where none is allowed.
SHOWN = 5
# A larger share of a stream's lines than this with values of the wrong type is worth a warning.
MANY_MISTYPED = 0.01

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
            keyboard.raise_if_interrupted()
            return
        except StopIteration as done:
            turn.state = done.value
        except (DistillError, MemoryError, BrokenExecutor) as error:
            # A worker process that is gone was ended by the system, which does so where memory is short.
            failure = error if isinstance(error, DistillError) else WarehouseError(NO_MEMORY)
            turn.receipt.status = "failed"
            turn.receipt.errors.append(str(failure))
            turn.error = failure
            self.failed.add(turn.stage.name)
        turn.steps, turn.receipt.ended_at = None, datetime.now(UTC)
        turn.receipt.worked += turn.receipt.ended_at - since

    def _conclude(self, turn: _Turn) -> None:
        name, receipt = turn.stage.name, turn.receipt
        receipt.ended_at = receipt.ended_at or datetime.now(UTC)
        self.failure = self.failure or turn.error
        if name not in self.failed and _is_behind(self.run, turn.stage, turn.state, self.behind):
            self.behind.add(name)
            receipt.warnings.append(_behind() if turn.state is not None else _not_done())
        if name in self.asked:
            self.run.reporter.done(receipt)
        self.concluded.append(turn)
        keyboard.raise_if_interrupted()


def _behind() -> str:
    return f"is behind: what it is made of changed since; `{advice.command('run-all')}` brings it up"


def _not_done() -> str:
    return f"was not done yet; `{advice.command('run-all')}` does what is missing"


def take_turns(run: Run, wanted: Sequence[Stage]) -> tuple[list[tuple[Receipt, StageState | None]], DistillError | None]:
    """Does the stages that are wanted, in their order. Returns receipt and state of all, and what stopped the first to fail."""
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
        receipt.outputs = [table_of(run, name) for name in stage.outputs]


def _is_behind(run: Run, stage: Stage, state: StageState | None, behind: set[str]) -> bool:
    """True where what a stage reads changed since it was done.

    Who does stages one by one publishes a corpus beside newer scores: that must not look as if all was well.
    """
    if state is None or behind & set(stage.needs):
        return True
    return state.input_hash != _input_hash(state.given_hash, [table_of(run, name) for name in stage.inputs])


def _input_hash(given: str, inputs: Sequence[dict[str, Any]]) -> str:
    return combined_hash({"given": given, **{table["name"]: table["sha256"] for table in inputs}})


def _do(run: Run, stage: Stage, receipt: Receipt, before: StageState | None) -> _Steps:
    """Does a stage, and stops once where others may have their turn before the rest."""
    receipt.warnings += run.findings
    run.findings = []
    given = combined_hash(stage.prepare(run, receipt))
    compiled = stage.models(run)
    fingerprint = models_hash(compiled)
    receipt.models = [
        {"name": model.name, "version": model.version, "fingerprint": model.fingerprint}
        for _, model in sorted(compiled.items())
    ]
    receipt.inputs = [table_of(run, name) for name in stage.inputs]
    receipt.input_hash = _input_hash(given, receipt.inputs)
    made_of = (receipt.input_hash, fingerprint)
    if not stage.settles:
        receipt.status = "ran"
        receipt.record_counts = stage.count(run, compiled)
        receipt.outputs = [table_of(run, name) for name in stage.outputs]
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
    receipt.outputs = [table_of(run, name) for name in stage.outputs]
    receipt.output_hash = combined_hash({table["name"]: table["sha256"] for table in receipt.outputs})
    return StageState(stage.name, given, receipt.input_hash, receipt.output_hash, fingerprint)


def _warn(run: Run, stage: Stage, receipt: Receipt) -> None:
    if stage.name != "collect":
        return
    receipt.warnings += [f"versions.lock: {finding}" for finding in run.library.unlocked()]
    for name, held in receipt.record_counts["by_stream"].items():
        if "unmapped" in held:
            receipt.warnings.append(
                f"stream {name} has no model: nothing is made of its {_lines(held['unmapped'])}, which stay in raw.lines; "
                f"add 1_evidence/{name}.sql and 2_scored/{name}.sql to a folder and give that with --sql"
            )
    receipt.warnings += _mistyped(receipt.record_counts)
    if skipped := receipt.record_counts["skipped"]:
        finding = f"{skipped:,} line{'s were' if skipped > 1 else ' was'} skipped"
        if run.settings.strict:
            raise GateError(f"{finding}, and --strict allows none: {_skips(run, skipped)}")
    _nothing_came_out(run, receipt)
    if skipped:
        receipt.warnings.append(f"{finding}; see `{advice.command('sql', 'select * from evidence.skips')}`")


def _mistyped(counts: dict[str, Any]) -> Iterator[str]:
    """Yields a warning for every stream of which many lines have a value that can't be read."""
    # Counts of an older release, which an unchanged stage hands on, don't have these.
    for stream, fields in counts.get("mistyped", {}).items():
        lines, mistyped = (counts["by_stream"][stream][name] for name in ("lines", "mistyped"))
        if mistyped > MANY_MISTYPED * lines:
            places = ", ".join(f"{field} (first at {held['example']})" for field, held in fields.items())
            yield (
                f"stream {stream}: {mistyped:,} of {lines:,} lines have a value of the wrong type, which counts as missing: "
                f"{places}; see `{advice.command('health', '--evidence')}`"
            )


def _nothing_came_out(run: Run, receipt: Receipt) -> None:
    """Raises GateError where lines are landed, and not one of them became a record."""
    counts = receipt.record_counts
    lines = counts["in"] + counts["unmapped"]
    if counts["out"] or not lines:
        return
    why = []
    if counts["unmapped"]:
        streams = [name for name, held in counts["by_stream"].items() if held.get("unmapped")]
        why.append(f"{_lines(counts['unmapped'])} of streams without a model ({named(streams)})")
    if counts["skipped"]:
        why.append(f"{_lines(counts['skipped'])} skipped: {_skips(run, counts['skipped'])}")
    raise GateError(
        f"{_lines(lines)} landed, and no record came of any: {'; '.join(why)}. They stay landed; next: name the folder of "
        "the streams with `distill run-all --data DIR`, or give models of your own with `distill run-all --sql DIR`"
    )


def _lines(amount: int) -> str:
    return f"{amount:,} line{'' if amount == 1 else 's'}"


def _skips(run: Run, amount: int) -> str:
    """Names the first lines that were skipped: the table that has all of them is not published."""
    run.bind_now("evidence.skips")
    first = run.engine.rows(
        "select source_file, line_offset, reason, detail from evidence.skips "
        f"order by source_file, line_offset, line_sha256 limit {SHOWN}"
    )
    named = [
        f"{row['source_file']}:{row['line_offset'] + 1} ({': '.join(filter(None, (row['reason'], row['detail'])))})"
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


def table_of(run: Run, name: str) -> dict[str, Any]:
    """Returns what a receipt says of a table, of an export's part of one (`table/export`), or of the index."""
    if name == indexing.NAME:
        return indexing.output(run)
    table, _, part = name.partition("/")
    content = run.content(table) if not part else run.part(table, part)
    return {"name": table, "delta_version": content.delta_version, "rows": content.rows, "sha256": content.sha256}
