"""Small Parquet files put together: every run leaves a few in most tables, and whoever reads a table opens all of them."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline import advice
from pipeline.errors import DamageError, WarehouseError
from pipeline.models.tables import is_chronicle
from pipeline.run import Run
from pipeline.store import ledger
from pipeline.store.delta import COMPACTED_FILE_BYTES

# So many small files in a table are worth the time that it takes to write their rows again.
MANY = 8
# Two small files fit into one.
SMALL_BYTES = COMPACTED_FILE_BYTES // 2
# Nobody writes these commits again: replays look after their own table, and a history of audits is proof as it stands.
_LEFT_ALONE = ("replay.runs", "ops.audit_baselines")


def compact(run: Run) -> None:
    """Puts the small files of each table together that has many, once all stages of a run are done.

    Rows stay as they are, which their hash proves: raises DamageError otherwise. Versions of before keep the files that they
    have. The next run compares with the versions in `run.state`, so these become those that came out of it.
    """
    run.bring_parts_up()
    for table in run.store.tables:
        if table in _LEFT_ALONE or not _is_due(run, table):
            continue
        if is_chronicle(table):
            # A damaged file among these notes is told to who reads them; it stops no run.
            with suppress(WarehouseError):
                _compact(run, table)
        elif named(run.state, table) <= {run.store.version(table)}:
            _compact_proven(run, table)


def _compact(run: Run, table: str) -> None:
    run.store.compact(table, run.store.said(table, run.store.version(table)) | {"compacted": "true"})


def _compact_proven(run: Run, table: str) -> None:
    before = run.content(table)
    _compact(run, table)
    if table == "raw.lines":
        # Else the next run would take it for a load that was killed.
        ledger.note_lines(run.store, run.run_id)
        _rename(run.state, "raw.files", run.store.version("raw.files"))
    now = run.content(table)
    if (before.rows, before.total) != (now.rows, now.total):
        raise DamageError(
            f"{run.store.path(table)}: its {before.rows} rows came out as others when small files were put together "
            f"(version {now.delta_version}); nothing was published; {advice.way_out()}"
        )
    _rename(run.state, table, now.delta_version)


def named(state: dict[str, Any], table: str) -> set[int]:
    """Returns the versions of a table that what a run keeps for the next one names."""
    return {holder[key] for holder, key in _names(state, table)}


def _names(state: dict[str, Any], table: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yields where a version of a table stands: beside its name, or below that of a part (`exports.quarantine/sft`)."""
    for key, value in state.items():
        if key == table and isinstance(value, int):
            yield state, key
        elif isinstance(value, dict):
            if key.startswith(f"{table}/"):
                yield value, "delta_version"
            yield from _names(value, table)


def _is_due(run: Run, table: str) -> bool:
    files = [Path(file) for file in run.store.read(table).files]
    return len(files) >= MANY and sum(file.is_file() and file.stat().st_size < SMALL_BYTES for file in files) >= MANY


def _rename(state: dict[str, Any], table: str, version: int) -> None:
    for holder, key in list(_names(state, table)):
        holder[key] = version
