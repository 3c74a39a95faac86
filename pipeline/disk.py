"""Files of ours on disk: replaced as a whole or not at all, and known by their looks while nobody changed them."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from threading import Thread
from typing import IO, Any, TypeVar

from pipeline import keyboard
from pipeline.parallel import threaded

Result = TypeVar("Result")

HASH_BLOCK = 8 * 1024 * 1024
# How coarse the times of files may be.
SETTLED_NS = 50_000_000


class BlockHash:
    """sha256 over the sha256 of each 8 MiB block: the same for the same bytes, however they arrive."""

    def __init__(self) -> None:
        self._done: list[bytes] = []
        self._block = hashlib.sha256()
        self._room = HASH_BLOCK

    @classmethod
    def read(cls, stream: IO[bytes], size: int) -> tuple["BlockHash", int]:
        """Reads so many bytes of a stream, as far as it has them, and hashes with all cores; returns how many came."""
        hasher, came = cls(), 0
        if isinstance(stream, FileIO):
            # Reading takes as long as hashing where memory is new: threads do both.
            digested = threaded(partial(_digested_at, stream.fileno()), _places(stream.tell(), size))
        else:
            digested = threaded(_digested, _blocks(stream, size))
        for amount, held in digested:
            came += amount
            if amount == HASH_BLOCK:
                hasher._done.append(held)
            else:
                hasher.update(held)
        if isinstance(stream, FileIO):
            stream.seek(came, os.SEEK_CUR)
        return hasher, came

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

    def copy(self) -> "BlockHash":
        """Returns the hash of the same bytes, to which others may be added."""
        other = BlockHash()
        other._done, other._block, other._room = self._done.copy(), self._block.copy(), self._room
        return other

    def hexdigest(self) -> str:
        return hashlib.sha256(b"".join([*self._done, self._block.digest()])).hexdigest()


def _blocks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Yields so many bytes of a stream in blocks of HASH_BLOCK; only the last one may be shorter."""
    while size and (data := stream.read(min(HASH_BLOCK, size))):
        while 0 < len(data) < min(HASH_BLOCK, size) and (more := stream.read(min(HASH_BLOCK, size) - len(data))):
            data += more
        size -= len(data)
        yield data


def _places(start: int, size: int) -> Iterator[range]:
    """Yields places of a file in blocks of HASH_BLOCK; only the last one may be shorter."""
    for place in range(start, start + size, HASH_BLOCK):
        yield range(place, min(place + HASH_BLOCK, start + size))


def _digested_at(handle: int, places: range) -> tuple[int, bytes]:
    data = os.pread(handle, len(places), places.start)
    while len(data) < len(places) and (more := os.pread(handle, len(places) - len(data), places.start + len(data))):
        data += more
    return _digested(data)


def _digested(data: bytes) -> tuple[int, bytes]:
    """Returns how long a block is, and its digest; a block that is not full yet instead of that."""
    return len(data), hashlib.sha256(data).digest() if len(data) == HASH_BLOCK else data


def meanwhile(work: Callable[[], Result]) -> "Future[Result]":
    """Begins some work in a thread of its own, while its caller goes on."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    # Unlike those of a pool, such a thread keeps no process alive that is told to end.
    Thread(target=run, daemon=True).start()
    return future


def to_disk(path: Path) -> None:
    """Waits until what was written to a file, or which files are in a folder, would outlive a power failure."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
        self._on_disk = self._before.copy()

    def known(self, name: str, path: Path, sha256: str) -> bool | None:
        """Returns the flag of a file that did not change; None where it may have."""
        looks, flag = self._held(name, sha256)
        if not looks or looks != stamp(path):
            return None
        self.keep(name, sha256)
        return flag

    def hash_of(self, name: str, path: Path) -> str | None:
        """Returns the hash that a file had when it looked as it does now; None where that is not known."""
        held = self._after.get(name) or self._before.get(name)
        sha256 = held[1] if isinstance(held, list) and len(held) == 3 else None
        if isinstance(sha256, str) and path.is_file() and self.known(name, path, sha256) is not None:
            return sha256
        return None

    def looks(self, name: str, sha256: str) -> list[int]:
        """Returns what was remembered of the looks of something with this hash; nothing where nothing was."""
        return self._held(name, sha256)[0]

    def keep(self, name: str, sha256: str) -> None:
        """Keeps what is known of something with this hash for who asks the next time: what is not kept is forgotten."""
        if name not in self._after and self.looks(name, sha256):
            self._after[name] = self._before[name]

    def drop(self, name: str) -> None:
        """Forgets what is known of something."""
        self._before.pop(name, None)
        self._after.pop(name, None)

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
        if self._after != self._on_disk:
            replace_file(self._path, json.dumps(self._after).encode())


def is_settled(changed_at_ns: int) -> bool:
    """False where something changed so shortly ago that it could change again without its times showing it."""
    return time.time_ns() - changed_at_ns > SETTLED_NS


def stamp(path: Path) -> list[int]:
    """Returns what changes when a file does: size, times, inode."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def make_writable(folder: Path) -> None:
    """Makes a folder, unless it is there. Raises OSError, with its name, where no file can be made in it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Yields a folder that is gone afterwards, also where Ctrl-C ends the process without its main thread."""
    with TemporaryDirectory(prefix=prefix) as folder, keyboard.leaving_nothing(Path(folder)):
        yield Path(folder)


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
