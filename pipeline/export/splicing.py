"""Files of JSON lines sorted by id: a published one is mended by copying all of it but the lines that changed."""

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import GateError

_ID = b'"id":"'
# How much of a file is copied at a time.
_BLOCK = 1 << 20


def splice(published: Path, new: Path, removed: frozenset[str], target: Path) -> str:
    """Writes the published lines but those whose id was removed, and the new ones between them, in order of their ids.

    Returns the sha256 of what was to be written. Raises GateError where a line to remove is not there.
    """
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for piece in _pieces(published, new, removed):
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()


def compare(published: Path, new: Path, removed: frozenset[str], target: Path) -> None:
    """Reads a spliced file back. Raises GateError where it is not what was to be written."""
    with target.open("rb") as written:
        for piece in _pieces(published, new, removed):
            if written.read(len(piece)) != piece:
                raise GateError(f"{target}: reads otherwise than it was written; nothing was published")
        if written.read(1):
            raise GateError(f"{target}: is longer than what was written; nothing was published")


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


def _pieces(published: Path, new: Path, removed: frozenset[str]) -> Iterator[bytes]:
    """Yields the merged file piece by piece. Changed ids are looked up by bisection, so lines between them are not read."""
    with new.open("rb") as lines:
        added = [(_line_id(line), line) for line in lines]
    gone: list[tuple[bytes, bytes]] = [(name.encode(), b"") for name in removed]
    with published.open("rb") as stream:
        # An empty file can't be mapped.
        old = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if published.stat().st_size else b""
        place = 0
        for name, line in sorted(gone + added):
            found = _first_from(old, name, place)
            yield from _blocks(old, place, found)
            place = found
            if line:
                yield line
            elif _id_at(old, found) == name:
                place = _next_line(old, found)
            else:
                raise GateError(f"{published}: has no line {name.decode()} to take out; nothing was published")
        yield from _blocks(old, place, len(old))


def _first_from(old: "mmap.mmap | bytes", name: bytes, start: int) -> int:
    """Returns where the first line stands whose id is not before `name`, among those from `start` on."""
    end = len(old)
    while start < end:
        middle = (start + end) // 2
        line = max(old.rfind(b"\n", start, middle) + 1, start)
        if _id_at(old, line) < name:
            start = _next_line(old, middle)
        else:
            end = line
    return start


def _next_line(old: "mmap.mmap | bytes", place: int) -> int:
    return old.find(b"\n", place) + 1 or len(old)


def _id_at(old: "mmap.mmap | bytes", line: int) -> bytes:
    start = old.find(_ID, line) + len(_ID)
    return bytes(old[start : old.find(b'"', start)]) if start >= len(_ID) else b""


def _blocks(old: "mmap.mmap | bytes", start: int, end: int) -> Iterator[bytes]:
    for place in range(start, end, _BLOCK):
        yield bytes(old[place : min(place + _BLOCK, end)])


def _line_id(line: bytes) -> bytes:
    """The first id of a line; nothing where there is none."""
    return _id_at(line, 0)
