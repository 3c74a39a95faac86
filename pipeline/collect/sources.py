"""The data directory: which streams there are, in which files, and their bytes."""

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import zstandard

from pipeline.disk import HASH_BLOCK
from pipeline.errors import InputError

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".ndjson.zst")
# What reading a file to its end may raise, packed ones included.
READ_ERRORS = (OSError, EOFError, zlib.error, zstandard.ZstdError)


@dataclass(frozen=True)
class SourceFile:
    """One file of a stream; `name` is its path below the data directory, with `/`."""

    source: str
    name: str
    path: Path

    def open(self) -> IO[bytes]:
        """Opens the file for its decompressed bytes."""
        try:
            if self.name.endswith(".gz"):
                return io.BufferedReader(gzip.open(self.path, "rb"), HASH_BLOCK)
            if self.name.endswith(".zst"):
                return io.BufferedReader(ZstdReader(self.path), HASH_BLOCK)
            return self.path.open("rb", buffering=0)
        except OSError as error:
            raise InputError(f"{self.path}: can't be read: {error.strerror}") from error


class ZstdReader(io.RawIOBase):
    """The bytes of a .zst file. Unlike zstandard's own reader it tells a file that was cut off from one that ended."""

    # Little at a time: a hostile file unpacks to 32,768 times its size.
    PACKED_BYTES = 1024

    def __init__(self, path: Path) -> None:
        self._packed = path.open("rb")
        self._blocks = self._unpack()
        self._rest = memoryview(b"")

    def _unpack(self) -> Iterator[bytes]:
        frame = None
        while data := self._packed.read(self.PACKED_BYTES):
            while data:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                yield frame.decompress(data)
                data = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
        if frame is not None:
            raise EOFError("the file ends in the middle of a zstd frame")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def close(self) -> None:
        self._packed.close()
        super().close()


def must_be_there(data: Path) -> None:
    """Raises InputError where there is no data directory."""
    if not data.is_dir():
        raise InputError(f"{data}: no such data directory; name it with --data DIR or DISTILL_DATA")


class Discovered(NamedTuple):
    """What lies below a data directory: the files of streams, by name, and the names of all else, which no stream has."""

    files: list[SourceFile]
    others: list[str]


def discover(data: Path) -> Discovered:
    """Returns all files below `data`. Raises InputError for a folder that is missing or leads elsewhere."""
    must_be_there(data)
    found = Discovered([], [])
    folders = [(data, False)]
    while folders:
        folder, is_hidden = folders.pop()
        for entry in _entries(folder):
            hidden = is_hidden or entry.name.startswith(".")
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append((path, hidden))
            elif hidden:
                # Tools keep files of their own there; only what looks like a stream may be missed by somebody.
                if entry.name.endswith(SUFFIXES):
                    found.others.append(_shown(path, data))
            elif _is_stream_file(entry, path, data):
                found.files.append(_source_file(path, data))
            else:
                found.others.append(_shown(path, data))
    found.files.sort(key=lambda file: file.name)
    found.others.sort()
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"{error.filename}: can't be read: {error.strerror}") from error


def _is_stream_file(entry: os.DirEntry[str], path: Path, data: Path) -> bool:
    """True for a file whose name ends as those of streams do. Raises InputError for a link that nobody can follow safely."""
    is_named_so = entry.name.endswith(SUFFIXES)
    if entry.is_symlink():
        if is_named_so or path.is_dir():
            _refuse_way_out(path, data.resolve())
        return is_named_so and path.is_file()
    return is_named_so and entry.is_file()


def _source_file(path: Path, data: Path) -> SourceFile:
    below = path.relative_to(data)
    name = below.as_posix()
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{str(path)!r}: its name is no UTF-8; rename it") from None
    return SourceFile(_stream(below), name, path)


def _shown(path: Path, data: Path) -> str:
    name = path.relative_to(data).as_posix()
    said = name if name.isprintable() else ascii(name)
    return f"{said} (a link to a folder, which is not followed)" if path.is_symlink() and path.is_dir() else said


def _refuse_way_out(path: Path, root: Path) -> None:
    if not path.is_symlink():
        return
    if not path.exists():
        raise InputError(f"{path}: is a link that leads nowhere; mend it or take it away")
    if not path.resolve().is_relative_to(root):
        raise InputError(f"{path}: is a link out of the data directory; put a copy there, or link the whole directory")


def _stream(below: Path) -> str:
    first = below.parts[0]
    if len(below.parts) > 1:
        return first
    return without_suffix(first)


def without_suffix(name: str) -> str:
    """Returns the name of a file without the ending that makes it one of a stream."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)
