"""The data directory: which streams there are, in which files, and their bytes."""

import gzip
import hashlib
import io
import json
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

from pipeline.errors import InputError

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
HASH_BLOCK = 8 * 1024 * 1024
# How coarse the times of files may be.
SETTLED_NS = 50_000_000
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


def discover(data: Path) -> list[SourceFile]:
    """Returns all stream files below `data`, by name. Raises InputError for a folder that is missing or leads elsewhere."""
    if not data.is_dir():
        raise InputError(f"{data}: no such data directory; name it with --data DIR or DISTILL_DATA")
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
                raise InputError(f"{path!r}: its name is no UTF-8; rename it") from None
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


class BlockHash:
    """sha256 over the sha256 of each 8 MiB block: the same for the same bytes, however they arrive."""

    def __init__(self) -> None:
        self._done: list[bytes] = []
        self._block = hashlib.sha256()
        self._room = HASH_BLOCK

    def update(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            part = view[: self._room]
            self._block.update(part)
            self._room -= len(part)
            view = view[len(part) :]
            if not self._room:
                self._done.append(self._block.digest())
                self._block, self._room = hashlib.sha256(), HASH_BLOCK

    def hexdigest(self) -> str:
        return hashlib.sha256(b"".join([*self._done, self._block.digest()])).hexdigest()


class Stamps:
    """What files looked like when they were last read to their end, so that an unchanged file is not read again.

    A cache: without it files are read and compared by hash. `flag` is whatever the reader wants to know again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._after: dict[str, Any] = {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            found = {}
        self._before: dict[str, Any] = found if isinstance(found, dict) else {}

    def known(self, name: str, path: Path, sha256: str) -> bool | None:
        """Returns the flag of a file that did not change; None where it may have."""
        looks, flag = self._held(name, sha256)
        if not looks or looks != stamp(path):
            return None
        self.keep(name, sha256)
        return flag

    def looks(self, name: str, sha256: str) -> list[int]:
        """Returns what was remembered of the looks of something with this hash; nothing where nothing was."""
        return self._held(name, sha256)[0]

    def keep(self, name: str, sha256: str) -> None:
        """Keeps what is known of something with this hash for who asks the next time: what is not kept is forgotten."""
        if name not in self._after and self.looks(name, sha256):
            self._after[name] = self._before[name]

    def forget(self) -> None:
        """From now on everything is read again."""
        self._before = {}

    def _held(self, name: str, sha256: str) -> tuple[list[int], bool]:
        held = self._after.get(name) or self._before.get(name)
        if isinstance(held, list) and len(held) == 3 and isinstance(held[0], list) and held[1] == sha256:
            return held[0], bool(held[2])
        return [], False

    def remember(self, name: str, path: Path, sha256: str, flag: bool = False, seen: list[int] | None = None) -> None:
        """Keeps how a file looks, or looked before it was read (`seen`), unless it may still be changing."""
        seen = seen or stamp(path)
        if all(map(is_settled, seen[1:3])):
            self._after[name] = [seen, sha256, flag]

    def remember_own(self, name: str, sha256: str, looks: list[int]) -> None:
        """Keeps how something looks that this process wrote, or found whole and unchanged for a while."""
        self._after[name] = [looks, sha256, False]

    def write(self) -> None:
        if self._after != self._before:
            replace_file(self._path, json.dumps(self._after).encode())


def is_settled(changed_at_ns: int) -> bool:
    """False where something changed so shortly ago that it could change again without its times showing it."""
    return time.time_ns() - changed_at_ns > SETTLED_NS


def stamp(path: Path) -> list[int]:
    """Returns what changes when a file does: size, times, inode."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def drop_drafts(folder: Path) -> None:
    """Removes what writers of single files left in a folder when they were killed."""
    for draft in folder.glob(".*.draft"):
        draft.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Gives the file's name to errors that come without one, as those of a write do."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file so that it has either its old content or the new one, whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with naming(path):
            with draft.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
