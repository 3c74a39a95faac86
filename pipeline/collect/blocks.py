"""The bytes of a file in blocks of whole lines. Of a line that is too long to be held only the gist is kept."""

import hashlib
from collections.abc import Iterator
from enum import Enum
from typing import IO, NamedTuple

CHUNK_BYTES = 8 * 1024 * 1024
# So much is kept of a line that is too long.
HEAD_BYTES = 4096


class Kind(Enum):
    """LINES: whole lines; only at the end of the file may the last one lack its newline
    PART:  a piece of a line that is too long; it goes on in the next block
    END:   the last piece of such a line, with its newline
    """

    LINES = 0
    PART = 1
    END = 2


class Block(NamedTuple):
    data: bytes
    kind: Kind = Kind.LINES


class Gist(NamedTuple):
    """What is kept of a line that is too long: its size and sha256, without its newline, and its first bytes."""

    size: int
    sha256: str
    head: bytes
    is_blank: bool = False

    @property
    def detail(self) -> str:
        """What is wrong with the line. The hash is for the bytes that are kept: they can be verified without the line."""
        kept = hashlib.sha256(self.head).hexdigest()
        return f"a line of {self.size} bytes, of which the first {len(self.head)} are kept, with the sha256 {kept}"


class LongLine:
    """Takes in a line piece by piece and holds no more than its gist."""

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()
        self._size = 0
        self._head = b""
        self._is_blank = True
        self._return = b""

    def add(self, data: bytes) -> None:
        """Takes the next bytes. Its newline, and one carriage return before that, are not part of a line."""
        data = self._return + data
        line = data.removesuffix(b"\n").removesuffix(b"\r")
        # Whether a carriage return belongs to the line shows in what follows it.
        self._return = b"\r" if data.endswith(b"\r") else b""
        self._hasher.update(line)
        self._size += len(line)
        self._head += line[: HEAD_BYTES - len(self._head)]
        self._is_blank = self._is_blank and (not line or line.isspace())

    def gist(self) -> Gist:
        """Returns what is kept, once the line has ended."""
        return Gist(self._size, self._hasher.hexdigest(), self._head, self._is_blank)


def gist_of(line: bytes) -> Gist:
    """Returns what is kept of a line that is there as a whole."""
    return Gist(len(line), hashlib.sha256(line).hexdigest(), line[:HEAD_BYTES])


def blocks(stream: IO[bytes], max_line: int) -> Iterator[Block]:
    """Yields a stream in blocks. Holds no more than a line of `max_line` bytes and what is read at a time.

    A line that is longer may still be in a block of whole lines, where it came with its newline at once.
    """
    pending: list[bytes] = []
    held, is_in_line = 0, False
    while data := stream.read(CHUNK_BYTES):
        if is_in_line:
            cut = data.find(b"\n") + 1
            yield Block(data[:cut] if cut else data, Kind.END if cut else Kind.PART)
            is_in_line, data = not cut, data[cut:] if cut else b""
        if cut := data.rfind(b"\n") + 1:
            yield Block(b"".join([*pending, data[:cut]]))
            pending, held = [], 0
        pending.append(data[cut:])
        held += len(data) - cut
        # The byte more is a carriage return, perhaps.
        if held > max_line + 1:
            yield Block(b"".join(pending), Kind.PART)
            pending, held, is_in_line = [], 0, True
    if held:
        yield Block(b"".join(pending))
