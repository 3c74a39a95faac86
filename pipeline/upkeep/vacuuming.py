"""Disk space given back: Parquet files that no kept snapshot, release or running reader needs."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from pipeline import remembered, session
from pipeline.errors import LockedError
from pipeline.index import indexing, shelf
from pipeline.models.tables import is_chronicle
from pipeline.run import Reporter, Run
from pipeline.settings import Settings
from pipeline.store import readers, snapshots
from pipeline.store.snapshots import Snapshot
from pipeline.upkeep import compaction

# How long a reader may take to say what it reads.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Vacuumed:
    """kept, dropped: snapshots; files and bytes: what was removed, or would be; reasons: by run, all that kept its state."""

    kept: tuple[Snapshot, ...]
    dropped: tuple[Snapshot, ...]
    files: int
    bytes: int
    dry_run: bool
    reasons: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


def vacuum(settings: Settings, keep_runs: int, keep_days: float, reporter: Reporter, *, dry_run: bool = False) -> Vacuumed:
    """Removes what only snapshots need that are neither among the newest `keep_runs` nor younger than `keep_days`.

    The last good snapshot, releases and what somebody reads right now are always kept.
    """
    with session.opened(settings, reporter) as run:
        session.recover(run)
        alive = [snapshot for snapshot in snapshots.read_all(run.store, run.engine) if not snapshot.vacuumed]
        reasons = _reasons(run, alive, keep_runs, keep_days)
        kept = tuple(snapshot for snapshot in alive if snapshot.run_id in reasons)
        dropped = tuple(snapshot for snapshot in alive if snapshot not in kept)
        paths = _unneeded(run, kept)
        size = shelf.freed(paths)
        result = Vacuumed(kept, dropped, len(paths), size, dry_run, reasons, tuple(run.findings))
        if not dry_run and (paths or dropped):
            _write(run, result)
            for path in _not_read(run, kept, dropped, paths):
                path.unlink(missing_ok=True)
            shelf.drop_empty(run.store.root)
        return result


def _unneeded(run: Run, kept: Iterable[Snapshot]) -> list[Path]:
    # Of the chronicles only the log of replays leaves files behind: its rows are cut, and its small files put together.
    tables = [name for name in run.store.tables if name == snapshots.REPLAYS or not is_chronicle(name)]
    found = [path for name in tables for path in run.store.unneeded(name, _versions(run, name, kept))]
    named = {name for snapshot in kept if (name := indexing.name_in(snapshot)) is not None}
    lists = remembered.unneeded_lists(run.store.root, [snapshot.state for snapshot in kept])
    return found + shelf.unneeded(run.store.root, named) + lists


def _not_read(run: Run, kept: Iterable[Snapshot], dropped: Iterable[Snapshot], paths: list[Path]) -> list[Path]:
    """Returns those of some files that nobody reads who came just before the record; the next vacuum takes the others.

    Whoever comes after the record is told that the state is gone.
    """
    read = _read_now(run)
    late = [snapshot for snapshot in dropped if str(snapshot.snapshot) in read]
    if not late:
        return paths
    unneeded = set(_unneeded(run, [*kept, *late]))
    return [path for path in paths if path in unneeded]


def _reasons(run: Run, alive: list[Snapshot], keep_runs: int, keep_days: float) -> dict[str, tuple[str, ...]]:
    """Returns for every state that is kept, by its run, what keeps it."""
    since = datetime.now(UTC) - timedelta(days=keep_days)
    good = [snapshot.snapshot for snapshot in alive if snapshot.is_good]
    read = _read_now(run)
    newest = {snapshot.snapshot for snapshot in alive[-max(keep_runs, 1) :]}
    found = {}
    for snapshot in alive:
        held = {
            f"newest {keep_runs}": snapshot.snapshot in newest,
            f"younger than {keep_days:g} days": snapshot.published_at >= since,
            "last good": snapshot.snapshot in good[-1:],
            **{f"release {name}": True for name in snapshot.releases},
            "being read": str(snapshot.snapshot) in read,
        }
        if any(held.values()):
            found[snapshot.run_id] = tuple(reason for reason, holds in held.items() if holds)
    return found


def _read_now(run: Run) -> set[str]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while readers.ANY in (held := readers.held(run.store.root)):
        if time.monotonic() > deadline:
            raise LockedError(f"{run.store.root}: somebody began to read and did not say which run; try again in a moment")
        time.sleep(0.05)
    return held


def _versions(run: Run, table: str, kept: Iterable[Snapshot]) -> list[int]:
    """Returns the versions of a table that snapshots name, and those that the next run compares with."""
    found = {run.store.version(table)}
    for snapshot in kept:
        if table in snapshot.tables:
            found.add(snapshot.tables[table].delta_version)
        found |= compaction.named(snapshot.state, table)
    return sorted(found)


def _write(run: Run, result: Vacuumed) -> None:
    """Says first what will be gone: a kill in between leaves files that the next vacuum removes."""
    row = {
        "run_id": run.run_id,
        "vacuumed_at": datetime.now(UTC),
        "newest": max(snapshot.snapshot for snapshot in (*result.kept, *result.dropped)),
        "kept": [snapshot.snapshot for snapshot in result.kept],
        "files": result.files,
        "bytes": result.bytes,
    }
    table = pa.Table.from_pylist([row], schema=run.store.tables[snapshots.VACUUMS].schema)
    run.store.append(snapshots.VACUUMS, table, {"run_id": run.run_id})
