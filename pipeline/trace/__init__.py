"""From an exported row back to the line that it came from, and from a line to all that was ever exported from it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipeline import advice
from pipeline.errors import UsageError, WarehouseError
from pipeline.reader import Warehouse
from pipeline.store.snapshots import Snapshot, read_all, resolve
from pipeline.trace import hints
from pipeline.trace.places import trace_place
from pipeline.trace.playbooks import trace_playbook
from pipeline.trace.rows import trace_records, trace_rows
from pipeline.trace.state import History, Opened, State, place_of
from pipeline.trace.steps import Step, Trace

__all__ = ["Step", "Trace", "trace", "trace_line"]

LEFT = "it is not in the newest snapshot any more; it last stood in this one"
_SIG_HASH = re.compile("[0-9a-f]{64}")
_PLACE = re.compile(r"(.+):0*([1-9][0-9]{0,17})", re.DOTALL | re.ASCII)


class Tracer:
    """A warehouse being traced in, at a snapshot or, where that lacks what is wanted, at the newest one that has it."""

    def __init__(self, opened: Opened, data: Path, as_of: str | None) -> None:
        self.opened, self.data, self.as_of = opened, data, as_of
        self.history = History(opened)
        self.generations = self.history.generations()
        self.state = State(opened, resolve(opened.published, "latest" if as_of is None else as_of))

    def rows(self, ids: Sequence[str]) -> dict[str, Trace]:
        """Returns the traces of exported rows."""
        return trace_rows(self.state, self.data, ids, self.generations, self.state.snapshot == self.history.newest)

    def record(self, asked: str) -> Trace | None:
        """Returns the trace of the records that a hash or a run names; of a line with this hash, if it is no record."""
        newest = self.state.snapshot == self.history.newest
        found = trace_records(self.state, self.data, asked, self.generations, newest)
        if found is not None or not _SIG_HASH.fullmatch(asked):
            return found
        landed = sorted(self.state.ask("landed"), key=place_of)
        return self.line(landed[0]["source_file"], landed[0]["line_offset"], asked) if landed else None

    def playbook(self, asked: str) -> Trace | None:
        """Returns the trace of a playbook."""
        newest = self.state.snapshot == self.history.newest
        return trace_playbook(self.state, self.data, asked, self.generations, newest)

    def line(self, name: str, offset: int, asked: str) -> Trace | None:
        """Returns the trace of a line."""
        return trace_place(self.state, self.history, self.data, (name, offset), asked, self.generations)

    def one(self, asked: str) -> Trace:
        """Returns the trace of whatever an id names. Raises UsageError where it names nothing."""
        if found := self._here(asked):
            return found
        if self.as_of is None and (earlier := self._last_with(asked)) is not None:
            self.state = State(self.opened, earlier)
            if found := self._here(asked):
                return replace(found, notes=(*found.notes, LEFT))
        raise UsageError(hints.unknown_id(self.state, asked, self.as_of, self.history))

    def _here(self, asked: str) -> Trace | None:
        return self.rows([asked]).get(asked) or self.playbook(asked) or self.record(asked)

    def _last_with(self, asked: str) -> Snapshot | None:
        wheres = [(f"exports.{name}", "id = ?", [asked]) for name in ("rag", "sft", "preference", "playbooks")]
        wheres += [("evidence.records", "sig_hash = ? or run_id = ?", [asked, asked]), ("raw.lines", "sig_hash = ?", [asked])]
        return next((at for where in wheres if (at := self.history.last_with(*where)) is not None), None)


@contextmanager
def tracer(warehouse: Warehouse, data: Path, as_of: str | None = None) -> Iterator[Tracer]:
    """Yields what traces in a warehouse, for many questions. Raises WarehouseError where nothing was published yet."""
    with warehouse.opened() as engine:
        # The reader never says which snapshot it reads, so a vacuum meanwhile leaves the files of all of them alone.
        published = read_all(warehouse.store, engine)
        if not published:
            raise WarehouseError(f"{warehouse.path}: nothing was published here yet; `{advice.command('run-all')}` does")
        yield Tracer(Opened(warehouse, engine, published), data, as_of)


def trace(warehouse: Warehouse, data: Path, asked: str, as_of: str | None = None) -> Trace:
    """Returns the chain behind an exported row, a playbook, or the records of a sig_hash or run_id.

    Without `as_of` it is sought in the newest snapshot, then in all earlier ones. Raises UsageError where it is unknown.
    """
    _refuse_unwritable(asked)
    with tracer(warehouse, data, as_of) as found:
        return found.one(asked)


def trace_line(warehouse: Warehouse, data: Path, asked: str, as_of: str | None = None) -> Trace:
    """Returns what became of the line FILE:N, and what was ever exported from it. Raises UsageError for no such line."""
    _refuse_unwritable(asked)
    matched = _PLACE.fullmatch(asked)
    if matched is None:
        raise UsageError(f"{hints.shown(asked)} is not FILE:N; {hints.PLACES}")
    name, offset = matched[1], int(matched[2]) - 1
    with tracer(warehouse, data, as_of) as tracing:
        if found := tracing.line(name, offset, asked):
            return found
        if as_of is None:
            earlier = tracing.history.last_with("raw.lines", "source_file = ? and line_offset = ?", [name, offset])
            if earlier is not None:
                tracing.state = State(tracing.opened, earlier)
                if found := tracing.line(name, offset, asked):
                    return replace(found, notes=(*found.notes, LEFT))
        raise UsageError(hints.unknown_place(tracing.state, name, offset, data))


def _refuse_unwritable(asked: str) -> None:
    try:
        asked.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{hints.shown(asked)} is no UTF-8 text; {hints.IDS}") from None
