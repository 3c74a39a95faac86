"""A folder of files as one thing: a manifest with the sha256 of each, for `sha256sum -c`; its own hash stands for all."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

_LINE = re.compile(r"^([0-9a-f]{64})  ((?:[a-z0-9][a-z0-9-]{0,90}|README)\.md)$", re.MULTILINE)

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO)


def read(path: Path) -> dict[str, str]:
    """Returns the hashes in a manifest, by name; nothing where there is none. Lines that we would not write don't count."""
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    return {name: sha256 for sha256, name in _lines(content)}


def write(path: str, content: bytes) -> None:
    """Writes a new file, not waiting for the disk. A path is a text here: a Path for each of thousands takes longer."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)


def on_disk(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Returns the sha256 of those of some files that are there; what is no file, or a link, is not there."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents(folder, names)}


def contents(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yields the bytes of those of some files that are there; what is no file, or a link, is not there."""
    below = f"{folder}{os.sep}"
    for name in names:
        try:
            handle = os.open(below + name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in _NOT_THERE:
                continue
            raise
        try:
            held = os.fstat(handle)
            if stat.S_ISREG(held.st_mode):
                yield name, _bytes(handle, held.st_size)
        finally:
            os.close(handle)


def _bytes(handle: int, size: int) -> bytes:
    content = os.read(handle, size + 1)
    if len(content) == size:
        return content
    # It changes while it is read, or is longer than one read gives.
    parts = [content]
    while part := os.read(handle, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def some(path: Path, place: int, size: int) -> tuple[list[str], int]:
    """Returns the names in a part of a manifest, from a place in it, and the place behind them, 0 at the end."""
    with path.open("rb") as stream:
        stream.seek(place)
        part = stream.read(size)
        whole, at_end = part.rfind(b"\n") + 1, not stream.peek(1)
    return [name for _, name in _lines(part[:whole])], 0 if at_end else place + whole


def _lines(content: bytes) -> list[tuple[str, str]]:
    return _LINE.findall(content.decode("utf-8", "replace"))


def times(folder: Path, names: Iterable[str]) -> list[int] | None:
    """Returns when each of some files changed last in any way, in ns; None where one is missing, a link or no file."""
    found, below = [], f"{folder}{os.sep}"
    try:
        for name in names:
            held = os.lstat(below + name)
            if not stat.S_ISREG(held.st_mode):
                return None
            found.append(held.st_ctime_ns)
    except OSError:
        return None
    return found


def is_folder(path: str) -> bool:
    """True where a folder, and no link to one, has this path."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
