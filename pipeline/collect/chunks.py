"""Whole lines of a file to rows of raw.lines, and these to Parquet files: what worker processes do, and all they load."""

import gc
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.collect.blocks import Gist, gist_of
from pipeline.collect.lines import Line, read_line
from pipeline.errors import WarehouseError, explained
from pipeline.settings import MAX_LINE

ROWS_PER_GROUP = 16384
BYTES_PER_GROUP = 4 * 1024 * 1024
MOST_WAITING = 1000
# Columns that repeat themselves; looking for repeats in the others costs time and gains nothing.
REPEATING = ["source", "source_file", "generation", "status", "detail", "load_id", "recorded_at"]
# Columns by which readers skip parts of a file.
SOUGHT = ["source", "source_file", "line_offset", "generation", "status", "load_id"]


@dataclass(frozen=True)
class Load:
    """Who lands, when, and into which columns; of lines longer than `max_line` bytes only the gist."""

    load_id: str
    recorded_at: datetime
    schema: pa.Schema
    accept_rewrite: bool = False
    max_line: int = MAX_LINE


@dataclass(frozen=True)
class Chunk:
    """Whole lines of a file: `lines` of them, the first with number `first_offset`; or the gist of one that is too long."""

    source: str
    source_file: str
    generation: int
    first_offset: int
    lines: int
    size: int
    data: bytes
    load: Load
    gist: Gist | None = None


class Landing(NamedTuple):
    """A row of raw.lines to be: the bytes that are kept, their line's sha256, and what it means."""

    offset: int
    kept: bytes
    sha256: str
    line: Line


Reader = Callable[[Chunk], tuple[Chunk, pa.RecordBatch]]


class LineWriter:
    """A Parquet file that grows as lines are read; the first row makes it. Nothing reads it before a commit names it."""

    def __init__(self, folder: Path, schema: pa.Schema, read: Reader) -> None:
        self._path = folder / f"part-{uuid4()}.parquet"
        self._schema, self._read = schema, read
        self._writer: pq.ParquetWriter | None = None
        self._rows = 0
        # Rows of small files wait for more: who reads the table pays for every group of rows.
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0

    def add(self, chunk: Chunk) -> tuple[Chunk, int]:
        """Reads the lines of a chunk and writes them; returns the chunk without its data, and how many rows it gave.

        Raises WarehouseError where they can't be written.
        """
        read, batch = self._read(chunk)
        if batch.num_rows:
            self._waiting.append(batch)
            self._bytes += batch.nbytes
            self._rows += batch.num_rows
        if self._bytes >= BYTES_PER_GROUP or len(self._waiting) >= MOST_WAITING:
            self._write()
        return read, batch.num_rows

    def _write(self) -> None:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        try:
            self._opened().write_table(pa.Table.from_batches(waiting).combine_chunks(), row_group_size=ROWS_PER_GROUP)
        except OSError as error:
            raise WarehouseError(f"{self._path}: can't be written: {explained(error)}") from None

    def close(self) -> tuple[Path, int, int] | None:
        """Ends the file; returns its path, rows and bytes, or None where there was no row."""
        if self._waiting:
            self._write()
        if self._writer is None:
            return None
        try:
            self._writer.close()
            return self._path, self._rows, self._path.stat().st_size
        except OSError as error:
            raise WarehouseError(f"{self._path}: can't be written: {explained(error)}") from None

    def _opened(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path,
                self._schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=REPEATING,
                write_statistics=SOUGHT,
                store_schema=False,
            )
        return self._writer


def read_chunk(chunk: Chunk) -> tuple[Chunk, pa.RecordBatch]:
    """Reads the lines of a chunk; returns the chunk without its data, and a batch of raw.lines without the blank ones."""
    # Rows of JSON hold no cycles: looking for some again and again takes an eighth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _read_chunk(chunk)
    finally:
        if collecting:
            gc.enable()


def _read_chunk(chunk: Chunk) -> tuple[Chunk, pa.RecordBatch]:
    if chunk.gist is not None:
        rows = [] if chunk.gist.is_blank else [_too_long(chunk.first_offset, chunk.gist)]
    else:
        raws = enumerate(chunk.data.removesuffix(b"\n").split(b"\n"), chunk.first_offset)
        found = (_row(number, raw.removesuffix(b"\r"), chunk.load.max_line) for number, raw in raws)
        rows = [row for row in found if row is not None]
    return replace(chunk, data=b""), _batch(chunk, rows)


def _row(offset: int, raw: bytes, max_line: int) -> Landing | None:
    """Returns what lands of a line; nothing of a blank one."""
    if not raw or raw.isspace():
        return None
    if len(raw) > max_line:
        return _too_long(offset, gist_of(raw))
    return Landing(offset, raw, hashlib.sha256(raw).hexdigest(), read_line(raw, offset))


def _too_long(offset: int, gist: Gist) -> Landing:
    return Landing(offset, gist.head, gist.sha256, Line("too_long", gist.detail, None, None))


def _is_text(row: Landing) -> bool:
    if row.line.status != "too_long":
        return row.line.status != "invalid_utf8"
    try:
        row.kept.decode()
    except UnicodeDecodeError:
        return False
    return True


def _batch(chunk: Chunk, rows: list[Landing]) -> pa.RecordBatch:
    count = len(rows)
    are_texts = list(map(_is_text, rows))
    lines = [row.line for row in rows]
    texts = [row.kept if is_text else None for row, is_text in zip(rows, are_texts, strict=True)]
    binaries = [None if is_text else row.kept for row, is_text in zip(rows, are_texts, strict=True)]
    columns = {
        "source": pa.repeat(chunk.source, count),
        "source_file": pa.repeat(chunk.source_file, count),
        "line_offset": pa.array([row.offset for row in rows], pa.int64()),
        "generation": pa.repeat(pa.scalar(chunk.generation, pa.int64()), count),
        "line": pa.array(texts, pa.binary()).view(pa.string()),
        "line_bytes": pa.nulls(count, pa.binary()) if all(are_texts) else pa.array(binaries, pa.binary()),
        "status": pa.array([line.status for line in lines], pa.string()),
        "detail": pa.array([line.detail for line in lines], pa.string()),
        "meaning": pa.array([line.meaning for line in lines], pa.string()),
        "line_sha256": pa.array([row.sha256 for row in rows], pa.string()),
        "sig_hash": pa.array([line.sig_hash for line in lines], pa.string()),
        "load_id": pa.repeat(chunk.load.load_id, count),
        "recorded_at": pa.repeat(pa.scalar(chunk.load.recorded_at, pa.timestamp("us", "UTC")), count),
    }
    return pa.RecordBatch.from_pydict(columns, schema=chunk.load.schema)
