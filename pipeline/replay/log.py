"""The log of replays: rows of replay.runs, and the same as lines of a stream that lands like any other.

The rows come first, in one commit; then the lines, in one write. Killed in between, the next replay writes the lines.
"""

import json
import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.disk import naming
from pipeline.engine import Engine
from pipeline.errors import DistillError, InputError
from pipeline.reader import Warehouse
from pipeline.replay import places
from pipeline.reports import receipts
from pipeline.store import catalog, foreign, snapshots
from pipeline.store.delta import DeltaStore, locked

TABLE = snapshots.REPLAYS
STREAM = TABLE.replace(".", "_")
SCHEMA = "replay_run.v1"
# Beyond this a file is left alone and the next one begun: a file that landed must never change its name.
MAX_BYTES = 64 * 1024 * 1024
# So many full files stay beside the newest; older ones go once all of their lines are in raw.lines.
KEPT_FILES = 8
KEPT_ROWS = 100_000
# So many small files the table may have before they are put together, and old rows are taken out.
MAX_FILES = 64
PATIENCE_SECONDS = 120.0
# Of so many rows the lines are written where they are missing.
MAX_OWED = 100
# What only the whole record says; the rest of it are columns too.
_WITHIN = frozenset({"kind", "run_id", "task_id", "bundle", "parameters", "claims"})
Record = dict[str, Any]


def refuse_no_place(warehouse: Warehouse, data: Path) -> None:
    """Raises a DistillError or an OSError where a replay can't be logged: before a model is asked for what would be lost."""
    places.refuse_unfit(data, STREAM)
    for path in files_of(data)[-1:]:
        with places.opened(path, os.O_RDWR) as handle:
            if rest := places.open_end(handle):
                with warehouse.opened() as engine:
                    _refuse_foreign(path, rest, _records(warehouse.store, engine))


def append(warehouse: Warehouse, data: Path, records: Sequence[Record]) -> Path:
    """Writes what a replay came to, and returns the file of the stream. Waits for a run that is at work.

    Raises GateError for a record that breaks its schema, LockedError where the warehouse stays locked.
    """
    places.refuse_unfit(data, STREAM)
    for record in records:
        receipts.validated(SCHEMA, record)
    with locked(warehouse.path, PATIENCE_SECONDS), warehouse.opened() as engine:
        store = warehouse.store
        store.forget()
        store.create_missing()
        foreign.take_back_chronicle(store, TABLE)
        for path in files_of(data)[-1:]:
            _mend(path, _records(store, engine))
        owed = _owed(store, engine, data)
        rows = pa.Table.from_pylist([row_of(record) for record in records], schema=store.tables[TABLE].schema)
        store.append(TABLE, rows, {"replay_id": records[0]["replay_id"]})
        path = write_lines(data, [*owed, *map(line_of, records)])
        _tidy(warehouse, engine)
        _drop_landed(warehouse, engine, data)
    return path


def line_of(record: Record) -> str:
    """Returns a record as the line of the stream."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def row_of(record: Record) -> dict[str, Any]:
    """Returns a record as a row of replay.runs."""
    return {name: value for name, value in record.items() if name not in _WITHIN} | {
        "created_at": datetime.fromisoformat(record["created_at"]),
        "findings": len(record["findings"]),
        "record": line_of(record),
    }


def files_of(data: Path) -> list[Path]:
    """Returns the files of the stream, oldest first: `<stream>.jsonl`, then those in the folder `<stream>/`."""
    first = data / f"{STREAM}.jsonl"
    later = sorted(path for path in (data / STREAM).glob("*.jsonl") if path.stem.isdigit())
    return [*([first] if first.exists() else []), *later]


def write_lines(data: Path, lines: Sequence[str]) -> Path:
    """Adds lines to the newest file of the stream, or begins the next one; returns it."""
    held = files_of(data)
    path = held[-1] if held else data / f"{STREAM}.jsonl"
    if held and path.stat().st_size >= MAX_BYTES:
        number = int(path.stem) + 1 if path.parent != data else 2
        path = data / STREAM / f"{number:08}.jsonl"
        path.parent.mkdir(exist_ok=True)
    with naming(path), places.opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as handle:
        left = memoryview("".join(f"{line}\n" for line in lines).encode())
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    return path


def _mend(path: Path, records: Sequence[str]) -> None:
    """Takes away what a killed write left of one of these records. A line that only lacks its end gets it."""
    with naming(path), places.opened(path, os.O_RDWR) as handle:
        rest = places.open_end(handle)
        if not rest:
            return
        _refuse_foreign(path, rest, records)
        size = os.fstat(handle).st_size
        if _is_json(rest):
            os.pwrite(handle, b"\n", size)
        else:
            os.ftruncate(handle, size - len(rest))


def _refuse_foreign(path: Path, rest: bytes, records: Sequence[str]) -> None:
    """Raises InputError for the beginning of a line that no replay began: it is not ours to take away."""
    if not _is_json(rest) and not any(record.encode().startswith(rest) for record in records):
        raise InputError(
            f"{path}: its last line has no end and is not the log's own, so nothing can be logged behind it; "
            f"end it with `echo >> {shlex.quote(str(path))}`, or take it out"
        )


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _records(store: DeltaStore, engine: Engine) -> list[str]:
    """Returns the newest records that the table has, newest first."""
    engine.bind(TABLE, store.read(TABLE).files, store.tables[TABLE].schema)
    newest_first = f"select record from {TABLE} order by created_at desc, replay_id desc, attempt desc limit {MAX_OWED}"
    return [row["record"] for row in engine.rows(newest_first)]


def _owed(store: DeltaStore, engine: Engine, data: Path) -> list[str]:
    """Returns the lines that killed replays did not come to write: of the rows behind the newest one that has its line."""
    records = _records(store, engine)
    wanted, known = set(records), set()
    for path in files_of(data)[-2:]:
        with path.open("rb") as stream:
            known |= {text for line in stream if (text := line.decode("utf-8", "replace").rstrip("\n")) in wanted}
    return [*takewhile(lambda record: record not in known, records)][::-1]


def _tidy(warehouse: Warehouse, engine: Engine) -> None:
    """Takes the oldest rows out beyond the limit, and puts small files together; a vacuum removes what is left of them."""
    store = warehouse.store
    if len(store.read(TABLE).files) >= MAX_FILES:
        engine.bind(TABLE, store.read(TABLE).files, store.tables[TABLE].schema)
        kept = f"select created_at from {TABLE} order by created_at desc limit 1 offset {KEPT_ROWS - 1}"
        if oldest := engine.rows(kept):
            store.delete(TABLE, f"created_at < {_literal(oldest[0]['created_at'])}", {"kept_rows": str(KEPT_ROWS)})
        store.compact(TABLE, {"compacted": "true"})
    # The catalog is a convenience beside it, and the next run writes it anew.
    with suppress(DistillError, OSError):
        snapshot = snapshots.latest(store, engine)
        if snapshot is not None:
            catalog.write(store, engine, snapshot)


def _literal(moment: datetime) -> str:
    return f"arrow_cast('{moment.isoformat()}', 'Timestamp(Microsecond, Some(\"UTC\"))')"


def _drop_landed(warehouse: Warehouse, engine: Engine, data: Path) -> None:
    """Removes the oldest full files whose lines have all landed and are published."""
    full = files_of(data)[: -KEPT_FILES - 1]
    snapshot = snapshots.latest(warehouse.store, engine) if full else None
    if snapshot is None:
        return
    engine.bind("raw.files", warehouse.files("raw.files", snapshot), warehouse.schema("raw.files"))
    rows = engine.rows("select source_file, max(bytes) as bytes from raw.files group by source_file")
    landed = {row["source_file"]: row["bytes"] for row in rows}
    for path in full:
        if landed.get(path.relative_to(data).as_posix()) == path.stat().st_size:
            path.unlink()
