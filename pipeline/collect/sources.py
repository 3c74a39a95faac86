"""The data directory: which streams there are, in which files, and their bytes."""

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

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

    # Little at a time: a hostile file unpacks to thousands of times its size.
    PACKED_BYTES = 16 * 1024

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


def discover(data: Path) -> list[SourceFile]:
    """Returns all stream files below `data`, by name. Raises InputError for a folder that is missing or leads elsewhere."""
    must_be_there(data)
    root = data.resolve()
    return sorted(_walk(data, root), key=lambda file: file.name)


def _walk(data: Path, root: Path) -> Iterator[SourceFile]:
    for folder, folders, names in os.walk(data, onerror=_fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            _refuse_way_out(Path(folder) / name, root)
        for name in names:
            path = Path(folder) / name
            below = path.relative_to(data)
            if name.startswith(".") or not name.endswith(SUFFIXES):
                continue
            _refuse_way_out(path, root)
            if not path.is_file():
                continue
            source_file = below.as_posix()
            try:
                source_file.encode("utf-8")
            except UnicodeEncodeError:
                raise InputError(f"{str(path)!r}: its name is no UTF-8; rename it") from None
            yield SourceFile(_stream(below), source_file, path)


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
    return next(first.removesuffix(suffix) for suffix in reversed(SUFFIXES) if first.endswith(suffix))


def _fail(error: OSError) -> None:
    raise InputError(f"{error.filename}: can't be read: {error.strerror}") from error
