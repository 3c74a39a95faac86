"""A folder of files as one thing: a manifest with the sha256 of each, for `sha256sum -c`; its own hash stands for all."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

_LINE = re.compile(r"^([0-9a-f]{64})  ((?:[a-z0-9][a-z0-9-]{0,90}|README)\.md)$", re.MULTILINE)

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO)


def read(path: Path) -> Mapping[str, str]:
    """Returns the hashes in a manifest, by name; nothing where there is none. Lines that we would not write don't count."""
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return {}


@lru_cache(maxsize=1)  # a run asks for the manifest in place, then for the one that replaces it, several times each
def _parsed(content: bytes) -> Mapping[str, str]:
    lines = _LINE.findall(content.decode("utf-8", "replace"))
    return MappingProxyType({name: sha256 for sha256, name in lines})


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


def looks(folder: Path, names: Iterable[str]) -> list[int] | None:
    """Returns what changes when one of the files does, without reading any; None where one is missing.

    Of the same shape as the stamp of one file: a number for all of it, and the newest times.
    """
    below = f"{folder}{os.sep}"
    try:
        held = [os.lstat(below + name) for name in sorted(names)]
    except OSError:
        return None
    seen = [(look.st_mode, look.st_size, look.st_mtime_ns, look.st_ctime_ns, look.st_ino) for look in held]
    digest = hashlib.sha256(repr([sorted(names), seen]).encode()).digest()
    newest = (max((look[place] for look in seen), default=0) for place in (2, 3))
    return [int.from_bytes(digest[:7]), *newest, len(seen)]
