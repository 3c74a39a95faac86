"""JSONL to raw.lines: every physical line, with its exact place, read once."""

import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO

import pyarrow as pa

from pipeline import advice
from pipeline.collect.blocks import Block, Kind, LongLine, blocks
from pipeline.collect.chunks import Chunk, LineWriter, Load, read_chunk
from pipeline.collect.lines import read_line
from pipeline.collect.sources import READ_ERRORS, SourceFile, discover
from pipeline.disk import BlockHash, Stamps, stamp
from pipeline.engine import Engine, ParquetFile
from pipeline.errors import InputError
from pipeline.parallel import ordered_map, threaded
from pipeline.store import ledger
from pipeline.store.delta import DeltaStore
from pipeline.store.ledger import FileState
from pipeline.store.writing import commit_checked

# A file, what is known of it, and whether a partial line follows what was landed, or None where that is to be read again.
Found = tuple[SourceFile, FileState, bool | None]
# Where new lines begin: the hash so far, the blocks that follow, and what is known of the file now.
Place = tuple[BlockHash, Iterator[Block], FileState]


@dataclass
class Landed:
    """What a load found.

    sources:       streams that have a file
    lines, blank:  non-blank lines landed and blank lines met, per stream
    partial_tails: files whose last line is not complete yet
    rewritten:     files that began a new generation
    files:         names of the files of streams
    passed_over:   names of all other files
    bytes:         bytes landed
    """

    sources: set[str] = field(default_factory=set)
    lines: Counter[str] = field(default_factory=Counter)
    blank: Counter[str] = field(default_factory=Counter)
    partial_tails: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    bytes: int = 0


def land(data: Path, store: DeltaStore, engine: Engine, load: Load, progress: Callable[[int], None] = lambda _: None) -> Landed:
    """Lands what was appended to the files below `data`.

    One commit to raw.lines, then one to raw.files, which makes the load count. `progress` hears of bytes.
    Raises InputError where a file shrank or its landed bytes changed.
    """
    landed, stamps = Landed(), Stamps(store.root / ".sources.json")
    known = ledger.states(store, engine)
    before = dict(known)
    found = discover(data)
    landed.files, landed.passed_over = [file.name for file in found.files], found.others
    files = _landed_files(found.files, known, stamps, load, landed, store, progress)
    if files:
        commit_checked(store, engine, "raw.lines", files, {"run_id": load.load_id})
    if changed := [state for name, state in known.items() if state != before.get(name)]:
        stamp = {"load_id": load.load_id, "recorded_at": load.recorded_at}
        rows = pa.Table.from_pylist([asdict(state) | stamp for state in changed], schema=store.tables["raw.files"].schema)
        store.append("raw.files", rows, ledger.metadata(store, load.load_id))
    stamps.write()
    return landed


def _landed_files(
    files: list[SourceFile],
    states: dict[str, FileState],
    stamps: Stamps,
    load: Load,
    landed: Landed,
    store: DeltaStore,
    progress: Callable[[int], None],
) -> list[ParquetFile]:
    """Writes what was appended to Parquet files that nothing names yet, and brings `states` and `landed` up to them."""

    def found() -> Iterator[Found]:
        for file in files:
            landed.sources.add(file.source)
            before = states.get(file.name, FileState(file.source, file.name))
            yield file, before, stamps.known(file.name, file.path, before.content_sha256)

    def chunks() -> Iterator[Chunk]:
        # What was landed of the next file is read while the lines of one are.
        for (file, before, tail), opened in threaded(partial(_opened, load), found(), threads=1):
            if opened is not None:
                states[file.name] = before
                with opened.stream, _explained(file):
                    tail = yield from _new_chunks(file, opened, states, stamps, load, landed)
            if tail:
                landed.partial_tails.append(file.name)

    written: list[tuple[Path, int, int] | None] = []
    writer = partial(LineWriter, store.path("raw.lines"), load.schema, read_chunk)
    expected = sum(max(0, _size(file) - (states[file.name].bytes if file.name in states else 0)) for file in files)
    results = ordered_map(writer, LineWriter.add, LineWriter.close, chunks(), lambda chunk: chunk.size, written, expected)
    for chunk, rows in results:
        state, blank = states[chunk.source_file], chunk.lines - rows
        states[chunk.source_file] = replace(
            state, landed_lines=state.landed_lines + rows, blank_lines=state.blank_lines + blank
        )
        landed.lines[chunk.source] += rows
        landed.blank[chunk.source] += blank
        landed.bytes += chunk.size
        progress(chunk.size)
    return [ParquetFile(*file) for file in written if file is not None]


def _size(file: SourceFile) -> int:
    """Returns the bytes of a file, packed ones as they are; 0 where it can't be told: who reads it will say why."""
    try:
        return file.path.stat().st_size
    except OSError:
        return 0


@dataclass(frozen=True)
class Opened:
    """A file that may have new lines: how it looked before it was opened, and where they begin; see `_place_to_go_on`."""

    seen: list[int]
    stream: IO[bytes]
    place: Place | None


def _opened(load: Load, found: Found) -> tuple[Found, Opened | None]:
    """Opens a file and reads what was landed of it, unless it is as it was."""
    file, before, tail = found
    if tail is not None:
        return found, None
    seen, stream = stamp(file.path), file.open()
    try:
        with _explained(file):
            return found, Opened(seen, stream, _place_to_go_on(stream, before, load.max_line))
    except BaseException:
        stream.close()
        raise


def _new_chunks(
    file: SourceFile, opened: Opened, states: dict[str, FileState], stamps: Stamps, load: Load, landed: Landed
) -> Generator[Chunk, None, bool]:
    """Yields what was appended; returns whether a partial line follows it."""
    if opened.place is not None:
        return (yield from _chunks(file, opened.place, states, stamps, opened.seen, load))
    if not load.accept_rewrite:
        raise InputError(
            f"{file.path}: its first {states[file.name].bytes} bytes, which are landed, changed or are gone, or its last line, "
            f"landed without a newline, was continued. Streams only grow; next: put the file back as it was, or, if that was "
            f"meant, `{advice.command('run-all', '--accept-rewrite')}` lands it anew, beside what is there"
        )
    landed.rewritten.append(file.name)
    with file.open() as stream:
        fresh = FileState(file.source, file.name, states[file.name].generation + 1)
        place = BlockHash(), blocks(stream, load.max_line), fresh
        return (yield from _chunks(file, place, states, stamps, opened.seen, load))


def _place_to_go_on(stream: IO[bytes], before: FileState, max_line: int) -> Place | None:
    """Reads over the landed bytes; None where they are not what was landed."""
    hasher, size = BlockHash.read(stream, before.bytes)
    if size < before.bytes or hasher.hexdigest() != before.content_sha256:
        return None
    following = blocks(stream, max_line)
    if before.ends_with_newline:
        return hasher, following, before
    first = next(following, Block(b"")).data
    if first in (b"", b"\r"):
        return hasher, iter(()), before
    if (ending := re.match(rb"\r?\n", first)) is None:
        return None
    hasher.update(ending[0])
    after = replace(before, bytes=before.bytes + ending.end(), ends_with_newline=True)
    return hasher, chain([Block(first[ending.end() :])], following), after


def _chunks(
    file: SourceFile, place: Place, states: dict[str, FileState], stamps: Stamps, seen: list[int], load: Load
) -> Generator[Chunk, None, bool]:
    hasher, following, states[file.name] = place
    tail = False
    # A line that is too long, and the hash of the file as far as this line goes: it counts once the line has ended.
    long, beyond, size = LongLine(), hasher.copy(), 0
    for data, kind in following:
        if kind is Kind.LINES:
            if not data:
                continue
            if not data.endswith(b"\n"):
                # The last line; its carriage return may be half of a newline.
                data = data.removesuffix(b"\r")
                if tail := _is_partial(data, states[file.name], load):
                    break
            hasher.update(data)
            yield _chunk(file, states, data, load)
            continue
        if not size:
            long, beyond = LongLine(), hasher.copy()
        long.add(data)
        beyond.update(data)
        size += len(data)
        if tail := kind is Kind.PART:
            continue
        hasher = beyond
        yield _long_chunk(file, states, long, size, load)
        size = 0
    states[file.name] = replace(states[file.name], content_sha256=hasher.hexdigest())
    stamps.remember(file.name, file.path, states[file.name].content_sha256, tail, seen)
    return tail


def _is_partial(data: bytes, state: FileState, load: Load) -> bool:
    """True for a last line without a newline that is not known to be complete."""
    # Of a line that is too long nobody knows whether it parses.
    return len(data) > load.max_line or read_line(data, state.lines).status not in ("object", "not_an_object")


def _chunk(file: SourceFile, states: dict[str, FileState], data: bytes, load: Load) -> Chunk:
    """Returns whole lines as a chunk, and counts them in."""
    state, is_whole = states[file.name], data.endswith(b"\n")
    lines = data.count(b"\n") if is_whole else 1
    states[file.name] = replace(state, bytes=state.bytes + len(data), lines=state.lines + lines, ends_with_newline=is_whole)
    return Chunk(file.source, file.name, state.generation, state.lines, lines, len(data), data, load)


def _long_chunk(file: SourceFile, states: dict[str, FileState], line: LongLine, size: int, load: Load) -> Chunk:
    """Returns the gist of a line as a chunk, and counts it in; `size` is that of its bytes in the file."""
    state = states[file.name]
    states[file.name] = replace(state, bytes=state.bytes + size, lines=state.lines + 1, ends_with_newline=True)
    return Chunk(file.source, file.name, state.generation, state.lines, 1, size, b"", load, line.gist())


@contextmanager
def _explained(file: SourceFile) -> Iterator[None]:
    try:
        yield
    except READ_ERRORS as error:
        raise InputError(
            f"{file.path}: can't be read to its end: {error}; next: put a whole copy of it there, or take it away, "
            "and give the same command again"
        ) from error
