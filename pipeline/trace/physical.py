"""Lines read again from the source files, as they stand there now."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.collect.blocks import Gist, Kind, LongLine, blocks
from pipeline.collect.sources import READ_ERRORS, SourceFile
from pipeline.errors import InputError
from pipeline.settings import MOST_MAX_LINE
from pipeline.trace.hashes import line_sha256

Place = tuple[str, int]


def file_and_line(place: Place) -> str:
    """Returns a place as people read and type it, FILE:N: the column counts lines from 0, editors count from 1."""
    return f"{place[0]}:{place[1] + 1}"


@dataclass(frozen=True)
class Physical:
    """A line as it stands in its file: its bytes without the newline, or why there are none.

    is_gone: there is no such file any more; otherwise the file is there, and the line is not in it
    gist:    of a line longer than any that is ever read as a whole, instead of its bytes
    """

    path: Path
    line: bytes | None = None
    problem: str = ""
    is_gone: bool = False
    gist: Gist | None = None

    @property
    def sha256(self) -> str | None:
        """The hash of its bytes, where it is there."""
        if self.line is not None:
            return line_sha256(self.line)
        return self.gist.sha256 if self.gist is not None else None


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
    following = _blocks(SourceFile(name, name, path))
    try:
        problem, is_gone = _not_there(data, name)
    except OSError as error:
        problem, is_gone = f"can't be read: {error}", False
    block = _Block(0, 0, b"")
    for offset in offsets:
        while not problem and offset >= block.after:
            try:
                block = next(following)
            except StopIteration:
                problem = f"the file has {block.after} lines"
            except READ_ERRORS as error:
                problem = f"can't be read to its end: {error}"
            except InputError as error:
                problem = str(error)
        if offset >= block.after:
            yield Physical(path, problem=problem, is_gone=is_gone)
        elif block.gist is not None:
            yield Physical(path, gist=block.gist)
        else:
            yield Physical(path, block.line(offset))


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
    """Lines of a file: the first of them, and the first that is not among them any more; or the gist of one."""

    first: int
    after: int
    data: bytes
    lines: list[bytes] | None = None
    gist: Gist | None = None

    def line(self, offset: int) -> bytes:
        if self.lines is None:  # most blocks of a large file hold no wanted line, and are only counted
            self.lines = self.data.removesuffix(b"\n").split(b"\n")
        return self.lines[offset - self.first].removesuffix(b"\r")


def _blocks(file: SourceFile) -> Iterator[_Block]:
    first, long = 0, None
    with file.open() as stream:
        for data, kind in blocks(stream, MOST_MAX_LINE):
            if kind is Kind.LINES:
                after = first + data.count(b"\n") + (not data.endswith(b"\n"))
                yield _Block(first, after, data)
                first = after
                continue
            long = long or LongLine()
            long.add(data)
            if kind is Kind.END:
                yield _Block(first, first + 1, b"", gist=long.gist())
                first, long = first + 1, None
