"""Files of JSON lines sorted by id: a published one is mended by copying all of it but the lines that changed."""

import hashlib
import mmap
import os
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path
from typing import IO

from pipeline.errors import GateError

_ID = b'"id":"'
# How much is written and read back at a time: so little that the processor still has it at hand.
_BLOCK = 1 << 16
# How much of a file that was read may stay in memory.
_KEPT = 1 << 24
# Where an id is looked for first: so many bytes on.
_STEP = 1 << 16


def splice(published: Path, new: Path, removed: frozenset[str], target: Path) -> str:
    """Writes the published lines but those whose id was removed, and the new ones between them, in order of their ids.

    What was written is read back, block by block; returns its sha256. The memory that the published file has in the system is
    given back on the way, so that what is written finds it: memory that nobody had before takes several times as long.
    Raises GateError where a line to remove is not there, and where the file does not read as it was written.
    """
    sha256 = hashlib.sha256()
    # All of them first: what is looked at to find them must not be in use when it is given back.
    pieces = list(_pieces(published, new, removed))
    with published.open("rb", buffering=0) as source, target.open("wb") as out, target.open("rb", buffering=0) as written:
        for block in _blocks(source, pieces):
            _write(out, block)
            if written.read(len(block)) != block:
                raise GateError(f"{target}: reads otherwise than it was written; nothing was published")
            sha256.update(block)
        if written.read(1):
            raise GateError(f"{target}: is longer than what was written; nothing was published")
    return sha256.hexdigest()


def survey(path: Path) -> int:
    """Returns the length of the longest line. Raises GateError where lines are not in ascending order of their ids."""
    longest, before = 0, b""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            longest = max(longest, len(line))
            name = _line_id(line)
            if name <= before:
                raise GateError(f"{path}: line {number} is not in order of the ids, or has none; nothing was published")
            before = name
    return longest


def _mapped(path: Path) -> mmap.mmap | bytes:
    """Returns the bytes of a file, read as they are asked for."""
    with path.open("rb") as stream:
        # An empty file can't be mapped.
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def _pieces(published: Path, new: Path, removed: frozenset[str]) -> Iterator[bytes | range]:
    """Yields the merged file piece by piece. Changed ids are looked up by bisection, so lines between them are not read."""
    with new.open("rb") as lines:
        added = [(_line_id(line), line) for line in lines]
    gone: list[tuple[bytes, bytes]] = [(name.encode(), b"") for name in removed]
    old, place, let_go = _mapped(published), 0, 0
    for name, line in sorted(gone + added):
        found = _first_from(old, name, place)
        if found - let_go > _KEPT:
            let_go = _let_go(old, let_go, found)
        if place < found:
            yield range(place, found)
        place = found
        if line:
            yield line
        elif _id_at(old, found) == name:
            place = _next_line(old, found)
        else:
            raise GateError(f"{published}: has no line {name.decode()} to take out; nothing was published")
    if place < len(old):
        yield range(place, len(old))


def _let_go(old: mmap.mmap | bytes, start: int, end: int) -> int:
    """Gives back the memory of pages that were looked at and will not be again; returns up to where."""
    end -= end % mmap.PAGESIZE
    if isinstance(old, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        old.madvise(mmap.MADV_DONTNEED, start, end - start)
    return end


def _blocks(source: FileIO, pieces: Iterable[bytes | range]) -> Iterator[bytes]:
    """Yields the merged file in blocks."""
    parts, size, let_go = list[bytes](), 0, 0
    for part in _parts(source, pieces):
        parts.append(part)
        size += len(part)
        if size >= _BLOCK:
            yield b"".join(parts)
            parts, size = [], 0
            if source.tell() - let_go > _KEPT:
                let_go = _give_back(source)
    yield b"".join(parts)


def _parts(source: FileIO, pieces: Iterable[bytes | range]) -> Iterator[bytes]:
    """Yields new lines, and the bytes of the file at places of it."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            source.seek(piece.start)
            left = len(piece)
            while left and (data := source.read(min(_BLOCK, left))):
                yield data
                left -= len(data)


def _give_back(source: FileIO) -> int:
    """Gives back the system's memory of what was read of a file; returns up to where."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(source.fileno(), 0, source.tell(), os.POSIX_FADV_DONTNEED)
    return source.tell()


def _write(out: IO[bytes], block: bytes) -> None:
    out.write(block)
    out.flush()


def _first_from(old: mmap.mmap | bytes, name: bytes, start: int) -> int:
    """Returns where the first line stands whose id is not before `name`, among those from `start` on."""
    end, step = len(old), _STEP
    # It is more likely near than far.
    while start + step < end:
        line = _line_at(old, start, start + step)
        if _id_at(old, line) >= name:
            end = line
        else:
            start, step = _next_line(old, start + step), step * 2
    while start < end:
        middle = (start + end) // 2
        line = _line_at(old, start, middle)
        if _id_at(old, line) < name:
            start = _next_line(old, middle)
        else:
            end = line
    return start


def _line_at(old: mmap.mmap | bytes, start: int, place: int) -> int:
    """Returns where the line begins that a place is in; `start` begins one, too."""
    return max(old.rfind(b"\n", start, place) + 1, start)


def _next_line(old: mmap.mmap | bytes, place: int) -> int:
    return old.find(b"\n", place) + 1 or len(old)


def _id_at(old: mmap.mmap | bytes, line: int) -> bytes:
    start = old.find(_ID, line) + len(_ID)
    return bytes(old[start : old.find(b'"', start)]) if start >= len(_ID) else b""


def _line_id(line: bytes) -> bytes:
    """The first id of a line; nothing where there is none."""
    return _id_at(line, 0)
