"""Lines read again from the source files, as they stand there now."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.collect.landing import whole_lines
from pipeline.collect.sources import READ_ERRORS, SourceFile
from pipeline.errors import InputError

Place = tuple[str, int]


def file_and_line(place: Place) -> str:
    """Returns a place as people read and type it, FILE:N: the column counts lines from 0, editors count from 1."""
    return f"{place[0]}:{place[1] + 1}"


@dataclass(frozen=True)
class Physical:
    """A line as it stands in its file: its bytes without the newline, or why there are none.

    is_gone: there is no such file any more; otherwise the file is there, and the line is not in it
    """

    path: Path
    line: bytes | None = None
    problem: str = ""
    is_gone: bool = False


def read_again(data: Path, places: Iterable[Place]) -> dict[Place, Physical]:
    """Returns the lines at places below the data directory. Each file is read once, and only as far as needed."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for name, offset in places:
        wanted[name].add(offset)
    found: dict[Place, Physical] = {}
    for name, offsets in wanted.items():
        ordered = sorted(offsets)
        lines = read_in_order(data, name, ordered)
        found |= {(name, offset): line for offset, line in zip(ordered, lines, strict=True)}
    return found


def read_in_order(data: Path, name: str, offsets: Iterable[int]) -> Iterator[Physical]:
    """Yields the lines of a file at ascending offsets, one for each. Memory does not grow with the file."""
    path = data / name
    blocks = _blocks(SourceFile(name, name, path))
    try:
        problem, is_gone = _not_there(data, name)
    except OSError as error:
        problem, is_gone = f"can't be read: {error}", False
    block = _Block(0, 0, b"")
    for offset in offsets:
        while not problem and offset >= block.after:
            try:
                block = next(blocks)
            except StopIteration:
                problem = f"the file has {block.after} lines"
            except READ_ERRORS as error:
                problem = f"can't be read to its end: {error}"
            except InputError as error:
                problem = str(error)
        there = offset < block.after
        yield Physical(path, block.line(offset)) if there else Physical(path, problem=problem, is_gone=is_gone)


def _not_there(data: Path, name: str) -> tuple[str, bool]:
    """Says why a file can't be read, and whether that is because it is gone; a way out of the folder is never followed."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/") or "\0" in name:
        return "its name leads out of the data directory", False
    if not data.is_dir():
        return f"{data} is no folder; name the folder of the streams with --data", True
    path = data / name
    if not path.is_file():
        return f"no such file below {data}; it was moved or removed, or --data names another folder", True
    if not path.resolve().is_relative_to(data.resolve()):
        return "it is a link out of the data directory", False
    return "", False


@dataclass
class _Block:
    """Lines of a file: the first of them, and the first that is not among them any more."""

    first: int
    after: int
    data: bytes
    lines: list[bytes] | None = None

    def line(self, offset: int) -> bytes:
        if self.lines is None:  # most blocks of a large file hold no wanted line, and are only counted
            self.lines = self.data.removesuffix(b"\n").split(b"\n")
        return self.lines[offset - self.first].removesuffix(b"\r")


def _blocks(file: SourceFile) -> Iterator[_Block]:
    first = 0
    with file.open() as stream:
        for data in filter(None, whole_lines(stream)):
            after = first + data.count(b"\n") + (not data.endswith(b"\n"))
            yield _Block(first, after, data)
            first = after
