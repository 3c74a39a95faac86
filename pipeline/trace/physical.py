"""Lines read again from the source files, as they stand there now."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import InputError
from pipeline.landing import whole_lines
from pipeline.sources import READ_ERRORS, SourceFile

Place = tuple[str, int]


@dataclass(frozen=True)
class Physical:
    """A line as it stands in its file: its bytes without the newline, or why there are none."""

    path: Path
    line: bytes | None = None
    problem: str = ""


def read_again(data: Path, places: Iterable[Place]) -> dict[Place, Physical]:
    """Returns the lines at places below the data directory. Each file is read once, and only as far as needed."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for name, offset in places:
        wanted[name].add(offset)
    return {(name, offset): line for name, offsets in wanted.items() for offset, line in _file(data, name, offsets).items()}


def _file(data: Path, name: str, offsets: set[int]) -> dict[int, Physical]:
    path = data / name
    found: dict[int, bytes] = {}
    try:
        if problem := _not_there(data, name):
            return {offset: Physical(path, problem=problem) for offset in offsets}
        lines = _scan(SourceFile(name, name, path), offsets, found)
        problem = f"the file has {lines} lines"
    except READ_ERRORS as error:
        problem = f"can't be read to its end: {error}"
    except InputError as error:
        problem = str(error)
    return {offset: Physical(path, found.get(offset), "" if offset in found else problem) for offset in offsets}


def _not_there(data: Path, name: str) -> str:
    """Says why there is no such file below the data directory; a name that leads out of it is never followed."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/") or "\0" in name:
        return "its name leads out of the data directory"
    if not data.is_dir():
        return f"{data} is no folder; name the folder of the streams with --data"
    path = data / name
    if not path.is_file():
        return f"no such file below {data}; it was moved or removed, or --data names another folder"
    if not path.resolve().is_relative_to(data.resolve()):
        return "it is a link out of the data directory"
    return ""


def _scan(file: SourceFile, offsets: set[int], found: dict[int, bytes]) -> int:
    """Collects the wanted lines and returns how many there are up to the last one wanted."""
    first, last = 0, max(offsets)
    with file.open() as stream:
        for block in filter(None, whole_lines(stream)):
            after = first + block.count(b"\n") + (not block.endswith(b"\n"))
            if any(first <= offset < after for offset in offsets):
                lines = block.removesuffix(b"\n").split(b"\n")
                found |= {offset: lines[offset - first].removesuffix(b"\r") for offset in offsets if first <= offset < after}
            first = after
            if first > last:
                break
    return first
