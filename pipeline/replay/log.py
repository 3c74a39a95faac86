"""The log of replays: rows of replay.runs, and the same as lines of a stream that lands like any other.

The rows come first, in one commit; then the lines, in one write. Killed in between, the next replay writes the lines.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.disk import naming
from pipeline.engine import Engine
from pipeline.errors import DistillError, UsageError
from pipeline.reader import Warehouse
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


def refuse_no_place(data: Path) -> None:
    """Raises UsageError where the stream would have no folder to lie in."""
    if not data.is_dir():
        raise UsageError(
            f"{data}: no such data directory, so a replay can't be logged; name it with --data DIR or DISTILL_DATA"
        )


def append(warehouse: Warehouse, data: Path, records: Sequence[Record]) -> Path:
    """Writes what a replay came to, and returns the file of the stream. Waits for a run that is at work.

    Raises GateError for a record that breaks its schema, LockedError where the warehouse stays locked.
    """
    refuse_no_place(data)
    for record in records:
        receipts.validated(SCHEMA, record)
    with locked(warehouse.path, PATIENCE_SECONDS), warehouse.opened() as engine:
        store = warehouse.store
        store.forget()
        store.create_missing()
        for path in files_of(data)[-1:]:
            _mend(path)
        foreign.take_back_chronicle(store, TABLE)
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
    with naming(path):
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            left = memoryview("".join(f"{line}\n" for line in lines).encode())
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        finally:
            os.close(handle)
    return path


def _mend(path: Path) -> None:
    """Takes away what a killed write left of a line: it did not land, for it is no JSON. A whole one only lacks its end."""
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb+") as stream:
        tail, start = _tail(stream)
        if tail.endswith(b"\n"):
            return
        rest = tail.rpartition(b"\n")[2]
        try:
            json.loads(rest)
            stream.seek(0, os.SEEK_END)
            stream.write(b"\n")
        except ValueError:
            stream.truncate(start + len(tail) - len(rest))


def _tail(stream: Any) -> tuple[bytes, int]:
    """Returns the end of a file from the beginning of its last line or before, and where that is."""
    size, reach = stream.seek(0, os.SEEK_END), 1 << 16
    while True:
        start = max(0, size - reach)
        stream.seek(start)
        tail = stream.read()
        if start == 0 or b"\n" in tail[:-1]:
            return tail, start
        reach *= 4


def _owed(store: DeltaStore, engine: Engine, data: Path) -> list[str]:
    """Returns the lines that killed replays did not come to write: of the rows behind the newest one that has its line."""
    engine.bind(TABLE, store.read(TABLE).files, store.tables[TABLE].schema)
    newest_first = f"select record from {TABLE} order by created_at desc, replay_id desc, attempt desc limit {MAX_OWED}"
    records = [row["record"] for row in engine.rows(newest_first)]
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
