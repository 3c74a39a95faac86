"""A folder of files as one thing: a manifest with the sha256 of each, for `sha256sum -c`; its own hash stands for all."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_LINE = re.compile(r"[0-9a-f]{64}  (?:[a-z0-9][a-z0-9-]{0,90}|README)\.md")

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO)


def written(hashes: Mapping[str, str]) -> bytes:
    """Returns a manifest, by name."""
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items())).encode()


def read(path: Path) -> dict[str, str]:
    """Returns the hashes in a manifest, by name; nothing where there is none. Lines that we would not write don't count."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {line[66:]: line[:64] for line in lines if _LINE.fullmatch(line)}


def on_disk(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Returns the sha256 of those of some files that are there; what is no file, or a link, is not there."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents(folder, names)}


def contents(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yields the bytes of those of some files that are there; what is no file, or a link, is not there."""
    below = f"{folder}{os.sep}"  # a Path for each of thousands of files takes longer than reading it
    for name in names:
        try:
            handle = os.open(below + name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in _NOT_THERE:
                continue
            raise
        with os.fdopen(handle, "rb") as file:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                yield name, file.read()


def looks(folder: Path, names: Iterable[str]) -> list[int] | None:
    """Returns what changes when one of the files does, without reading any; None where one is missing.

    Of the same shape as the stamp of one file: a number for all of it, and the newest times.
    """
    digest, modified, changed, count = hashlib.sha256(), 0, 0, 0
    below = f"{folder}{os.sep}"
    for name in sorted(names):
        try:
            held = os.lstat(below + name)
        except OSError:
            return None
        digest.update(f"{name} {held.st_mode} {held.st_size} {held.st_mtime_ns} {held.st_ctime_ns} {held.st_ino}\n".encode())
        modified, changed, count = max(modified, held.st_mtime_ns), max(changed, held.st_ctime_ns), count + 1
    return [int.from_bytes(digest.digest()[:7]), modified, changed, count]
