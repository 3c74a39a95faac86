"""Where replays are logged: plain files inside of the data folder. No link leads out of it, and nothing else is opened."""

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import InputError, UsageError

_BLOCK = 1 << 16
_PLAIN_FILE = "is no plain file, so a replay can't be logged there; move it elsewhere"


def refuse_unfit(data: Path, stream: str) -> None:
    """Raises UsageError or InputError where the stream's files can't lie in the data folder, or lie somewhere else."""
    if not data.is_dir():
        raise UsageError(
            f"{data}: no such data directory, so a replay can't be logged; name it with --data DIR or DISTILL_DATA"
        )
    folder = data / stream
    _refuse_link(folder)
    if os.path.lexists(folder) and not folder.is_dir():
        raise InputError(f"{folder}: is no folder, so replays can't be logged below it; move it elsewhere")
    for path in (data / f"{stream}.jsonl", *sorted(folder.glob("*.jsonl"))):
        _refuse_other(path)
    for where in (data, *([folder] if folder.is_dir() else [])):
        if not os.access(where, os.W_OK | os.X_OK):
            raise InputError(f"{where}: Permission denied, so a replay can't be logged; `chmod u+wx {shlex.quote(str(where))}`")


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise InputError(f"{path}: is a link, and replays are logged only inside of the data folder; put a copy in its place")


def _refuse_other(path: Path) -> None:
    _refuse_link(path)
    if os.path.lexists(path) and not path.is_file():
        raise InputError(f"{path}: {_PLAIN_FILE}")


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Yields a descriptor of a plain file that has no other name. Raises InputError for anything else; it waits for nothing."""
    _refuse_other(path)
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    try:
        held = os.fstat(handle)
        if not stat.S_ISREG(held.st_mode):
            raise InputError(f"{path}: {_PLAIN_FILE}")
        if held.st_nlink > 1:
            name = shlex.quote(str(path))
            raise InputError(
                f"{path}: has another name elsewhere (a hard link), and what is logged would change that file, too; "
                f"make it a file of its own with `cp -p {name} {name}.copy && mv {name}.copy {name}`"
            )
        yield handle
    finally:
        os.close(handle)


def open_end(handle: int) -> bytes:
    """Returns what stands behind the last newline of a file: nothing, where its last line is whole."""
    start = os.fstat(handle).st_size
    blocks: list[bytes] = []
    while start and not (blocks and b"\n" in blocks[-1]):
        start, before = max(0, start - _BLOCK), start
        blocks.append(os.pread(handle, before - start, start))
    return b"".join(reversed(blocks)).rpartition(b"\n")[2]
