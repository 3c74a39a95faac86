"""JSONL to raw.lines: every physical line, with its exact place, read once."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import IO

import pyarrow as pa

from pipeline.engine import Engine
from pipeline.errors import InputError
from pipeline.lines import Line, read_line
from pipeline.parallel import ordered_map
from pipeline.sources import READ_ERRORS, BlockHash, SourceFile, Stamps, discover, stamp
from pipeline.warehouse import DeltaStore

# In the ledger's commits: the snapshot with which a restore of it counts.
RESTORED = "restored by snapshot"
CHUNK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class FileState:
    """How far a file has been landed; a row of raw.files."""

    source: str
    source_file: str
    generation: int = 0
    bytes: int = 0
    lines: int = 0
    landed_lines: int = 0
    blank_lines: int = 0
    ends_with_newline: bool = True
    content_sha256: str = BlockHash().hexdigest()


@dataclass(frozen=True)
class Load:
    """Who lands, when, and into which columns."""

    load_id: str
    recorded_at: datetime
    schema: pa.Schema
    accept_rewrite: bool = False


@dataclass
class Landed:
    """What a load found.

    sources:       streams that have a file
    lines, blank:  non-blank lines landed and blank lines met, per stream
    partial_tails: files whose last line is not complete yet
    rewritten:     files that began a new generation
    bytes:         bytes landed
    """

    sources: set[str] = field(default_factory=set)
    lines: Counter[str] = field(default_factory=Counter)
    blank: Counter[str] = field(default_factory=Counter)
    partial_tails: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    bytes: int = 0


@dataclass(frozen=True)
class Chunk:
    """Whole lines of a file: `lines` of them, the first with number `first_offset`."""

    source: str
    source_file: str
    generation: int
    first_offset: int
    lines: int
    size: int
    data: bytes
    load: Load


def land(data: Path, store: DeltaStore, engine: Engine, load: Load, progress: Callable[[int], None] = lambda _: None) -> Landed:
    """Lands what was appended to the files below `data`.

    One commit to raw.lines, then one to raw.files, which makes the load count. `progress` hears of bytes.
    Raises InputError where a file shrank or its landed bytes changed.
    """
    landed, stamps = Landed(), Stamps(store.root / ".sources.json")
    known = states(store, engine)
    before = dict(known)
    rows = _rows(discover(data), known, stamps, load, landed, progress)
    if (first := next(rows, None)) is not None:
        failures: list[Exception] = []
        reader = pa.RecordBatchReader.from_batches(load.schema, _keeping_failures(first, rows, failures))
        try:
            store.append("raw.lines", reader, {"run_id": load.load_id})
        except Exception:
            if failures:
                raise failures[0] from None
            raise
    if changed := [state for name, state in known.items() if state != before.get(name)]:
        stamp = {"load_id": load.load_id, "recorded_at": load.recorded_at}
        ledger = pa.Table.from_pylist([asdict(state) | stamp for state in changed], schema=store.tables["raw.files"].schema)
        store.append("raw.files", ledger, _ledger_metadata(store, load.load_id))
    stamps.write()
    return landed


def undo_torn_load(store: DeltaStore) -> None:
    """Takes back a load that was killed between its rows and its ledger; its lines are read again from the files."""
    last = next((commit for commit in store.history("raw.files") if "raw.lines" in commit), {})
    expected = int(last.get("raw.lines", store.first_version("raw.lines")))
    if store.version("raw.lines") != expected:
        store.restore("raw.lines", expected)
        # What was torn may have been a restore, or the undoing of one: that must not begin to count here.
        restored = {RESTORED: str(last[RESTORED])} if RESTORED in last else {}
        nothing = store.tables["raw.files"].schema.empty_table()
        store.append("raw.files", nothing, _ledger_metadata(store, str(last.get("run_id", ""))) | restored)


def restore(store: DeltaStore, lines: int, ledger: int, run_id: str, snapshot: int) -> None:
    """Brings raw.lines and raw.files back to earlier versions, which counts once `snapshot` is published."""
    store.restore("raw.lines", lines, {"run_id": run_id})
    _restore_ledger(store, ledger, _ledger_metadata(store, run_id) | {RESTORED: str(snapshot)})


def undo_unpublished_restore(store: DeltaStore, published: int) -> None:
    """Takes back a restore that was killed before its snapshot was published."""
    commits = [commit for commit in store.history("raw.files") if "raw.lines" in commit]
    if commits and int(commits[0].get(RESTORED, 0)) > published:
        before = next(commit for commit in commits if int(commit.get(RESTORED, 0)) <= published)
        store.restore("raw.lines", int(before["raw.lines"]))
        _restore_ledger(store, before["version"], _ledger_metadata(store, str(before.get("run_id", ""))))


def _restore_ledger(store: DeltaStore, version: int, metadata: dict[str, str]) -> None:
    """Brings raw.files back in one commit that also says which lines belong to it."""
    if store.version("raw.files") == version:
        store.append("raw.files", store.tables["raw.files"].schema.empty_table(), metadata)
    else:
        store.restore("raw.files", version, metadata)


def ledger_hash(store: DeltaStore, engine: Engine) -> str:
    """Returns one hash over what has been read of all files."""
    newest = sorted(states(store, engine).values(), key=lambda state: state.source_file)
    seen = [[state.source_file, state.generation, state.bytes, state.content_sha256] for state in newest]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def _ledger_metadata(store: DeltaStore, run_id: str) -> dict[str, str]:
    return {"run_id": run_id, "raw.lines": str(store.version("raw.lines"))}


def states(store: DeltaStore, engine: Engine) -> dict[str, FileState]:
    """Returns how far each file has been landed, by its name."""
    engine.bind("raw.files", store.read("raw.files").files, store.tables["raw.files"].schema)
    names = ", ".join(FileState.__dataclass_fields__)
    newest = "row_number() over (partition by source_file order by generation desc, bytes desc) = 1"
    return {row["source_file"]: FileState(**row) for row in engine.rows(f"select {names} from raw.files qualify {newest}")}


def _keeping_failures(
    first: pa.RecordBatch, rest: Iterator[pa.RecordBatch], failures: list[Exception]
) -> Iterator[pa.RecordBatch]:
    # What is raised inside of the writer comes out of it as another error: keep the real one.
    try:
        yield first
        yield from rest
    except Exception as error:
        failures.append(error)
        raise


def _rows(
    files: list[SourceFile],
    states: dict[str, FileState],
    stamps: Stamps,
    load: Load,
    landed: Landed,
    progress: Callable[[int], None],
) -> Iterator[pa.RecordBatch]:
    def chunks() -> Iterator[Chunk]:
        for file in files:
            landed.sources.add(file.source)
            before = states.get(file.name, FileState(file.source, file.name))
            tail = stamps.known(file.name, file.path, before.content_sha256)
            if tail is None:
                states[file.name] = before
                tail = yield from _explained(file, _new_chunks(file, states, stamps, load, landed))
            if tail:
                landed.partial_tails.append(file.name)

    for chunk, batch in ordered_map(read_chunk, chunks(), lambda chunk: chunk.size):
        state, blank = states[chunk.source_file], chunk.lines - batch.num_rows
        states[chunk.source_file] = replace(
            state, landed_lines=state.landed_lines + batch.num_rows, blank_lines=state.blank_lines + blank
        )
        landed.lines[chunk.source] += batch.num_rows
        landed.blank[chunk.source] += blank
        landed.bytes += chunk.size
        progress(chunk.size)
        if batch.num_rows:
            yield batch


def _new_chunks(
    file: SourceFile, states: dict[str, FileState], stamps: Stamps, load: Load, landed: Landed
) -> Generator[Chunk, None, bool]:
    """Yields what was appended; returns whether a partial line follows it."""
    seen = stamp(file.path)
    with file.open() as stream:
        place = _place_to_go_on(stream, states[file.name])
        if place is not None:
            return (yield from _chunks(file, place, states, stamps, seen, load))
    if not load.accept_rewrite:
        raise InputError(
            f"{file.path}: its first {states[file.name].bytes} bytes, which are landed, changed or are gone, or its last line, "
            f"landed without a newline, was continued. Streams only grow; next: put the file back as it was, or, if that was "
            "meant, `distill run-all --accept-rewrite` lands it anew, beside what is there"
        )
    landed.rewritten.append(file.name)
    with file.open() as stream:
        place = BlockHash(), whole_lines(stream), FileState(file.source, file.name, states[file.name].generation + 1)
        return (yield from _chunks(file, place, states, stamps, seen, load))


Place = tuple[BlockHash, Iterator[bytes], FileState]


def _place_to_go_on(stream: IO[bytes], before: FileState) -> Place | None:
    """Reads over the landed bytes; None where they are not what was landed."""
    hasher, left = BlockHash(), before.bytes
    while left and (data := stream.read(min(CHUNK_BYTES, left))):
        hasher.update(data)
        left -= len(data)
    if left or hasher.hexdigest() != before.content_sha256:
        return None
    blocks = whole_lines(stream)
    if before.ends_with_newline:
        return hasher, blocks, before
    first = next(blocks, b"")
    if first in (b"", b"\r"):
        return hasher, iter(()), before
    if (ending := re.match(rb"\r?\n", first)) is None:
        return None
    hasher.update(ending[0])
    after = replace(before, bytes=before.bytes + ending.end(), ends_with_newline=True)
    return hasher, chain([first[ending.end() :]], blocks), after


def whole_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yields blocks that end with a newline; the last one may lack it."""
    pending: list[bytes] = []
    while data := stream.read(CHUNK_BYTES):
        if cut := data.rfind(b"\n") + 1:
            yield b"".join([*pending, data[:cut]])
            pending = [data[cut:]]
        else:
            pending.append(data)
    yield b"".join(pending)


def _chunks(
    file: SourceFile, place: Place, states: dict[str, FileState], stamps: Stamps, seen: list[int], load: Load
) -> Generator[Chunk, None, bool]:
    hasher, blocks, states[file.name] = place
    tail = False
    for block in filter(None, blocks):
        if whole := block.endswith(b"\n"):
            lines, data = block.count(b"\n"), block
        else:
            lines, data = 1, block.removesuffix(b"\r")
            if tail := read_line(data).status not in ("object", "not_an_object"):
                break
        state = states[file.name]
        hasher.update(data)
        states[file.name] = replace(state, bytes=state.bytes + len(data), lines=state.lines + lines, ends_with_newline=whole)
        yield Chunk(file.source, file.name, state.generation, state.lines, lines, len(data), data, load)
    states[file.name] = replace(states[file.name], content_sha256=hasher.hexdigest())
    stamps.remember(file.name, file.path, states[file.name].content_sha256, tail, seen)
    return tail


def read_chunk(chunk: Chunk) -> tuple[Chunk, pa.RecordBatch]:
    """Reads the lines of a chunk; returns the chunk without its data, and a batch of raw.lines without the blank ones."""
    offsets, raws, lines = [], [], []
    for number, raw in enumerate(chunk.data.removesuffix(b"\n").split(b"\n"), chunk.first_offset):
        raw = raw.removesuffix(b"\r")
        if not raw or raw.isspace():
            continue
        offsets.append(number)
        raws.append(raw)
        lines.append(read_line(raw))
    return replace(chunk, data=b""), _batch(chunk, offsets, raws, lines)


def _batch(chunk: Chunk, offsets: list[int], raws: list[bytes], lines: list[Line]) -> pa.RecordBatch:
    count = len(raws)
    broken = any(line.status == "invalid_utf8" for line in lines)
    texts = [None if line.status == "invalid_utf8" else raw for raw, line in zip(raws, lines, strict=True)] if broken else raws
    binaries = [raw if line.status == "invalid_utf8" else None for raw, line in zip(raws, lines, strict=True)]
    columns = {
        "source": pa.repeat(chunk.source, count),
        "source_file": pa.repeat(chunk.source_file, count),
        "line_offset": pa.array(offsets, pa.int64()),
        "generation": pa.repeat(pa.scalar(chunk.generation, pa.int64()), count),
        "line": pa.array(texts, pa.binary()).view(pa.string()),
        "line_bytes": pa.array(binaries, pa.binary()) if broken else pa.nulls(count, pa.binary()),
        "status": pa.array([line.status for line in lines], pa.string()),
        "detail": pa.array([line.detail for line in lines], pa.string()),
        "meaning": pa.array([line.meaning for line in lines], pa.string()),
        "line_sha256": pa.array([hashlib.sha256(raw).hexdigest() for raw in raws], pa.string()),
        "sig_hash": pa.array([line.sig_hash for line in lines], pa.string()),
        "load_id": pa.repeat(chunk.load.load_id, count),
        "recorded_at": pa.repeat(pa.scalar(chunk.load.recorded_at, pa.timestamp("us", "UTC")), count),
    }
    return pa.RecordBatch.from_pydict(columns, schema=chunk.load.schema)


def _explained(file: SourceFile, chunks: Generator[Chunk, None, bool]) -> Generator[Chunk, None, bool]:
    try:
        return (yield from chunks)
    except READ_ERRORS as error:
        raise InputError(
            f"{file.path}: can't be read to its end: {error}; next: put a whole copy of it there, or take it away, "
            "and give the same command again"
        ) from error
