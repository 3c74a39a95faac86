"""Files of JSON lines sorted by id: two are merged into one, and the result is read back line by line."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import GateError

_ID = b'"id":"'


def splice(published: Path, new: Path, removed: frozenset[str], target: Path) -> None:
    """Writes the published lines but those whose id was removed, and the new ones between them, in order of their ids."""
    with target.open("wb") as out:
        out.writelines(_merged(published, new, removed))


def compare_splice(published: Path, new: Path, removed: frozenset[str], target: Path) -> None:
    """Reads a spliced file back. Raises GateError at the first line that is not the one that should stand there."""
    with target.open("rb") as written:
        for number, line in enumerate(_merged(published, new, removed), 1):
            if next(written, None) != line:
                raise GateError(f"{target}: line {number} is not the one that was to be written; nothing was published")
        if next(written, None) is not None:
            raise GateError(f"{target}: has more lines than were to be written; nothing was published")


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


def _merged(published: Path, new: Path, removed: frozenset[str]) -> Iterator[bytes]:
    gone = {name.encode() for name in removed}
    with published.open("rb") as old, new.open("rb") as added:
        coming = next(added, None)
        coming_id = _line_id(coming) if coming else b""
        for line in old:
            name = _line_id(line)
            while coming and coming_id < name:
                yield coming
                coming = next(added, None)
                coming_id = _line_id(coming) if coming else b""
            if name not in gone:
                yield line
        if coming:
            yield coming
            yield from added


def _line_id(line: bytes) -> bytes:
    """The first id of a line; nothing where there is none."""
    start = line.find(_ID) + len(_ID)
    return line[start : line.find(b'"', start)] if start >= len(_ID) else b""
