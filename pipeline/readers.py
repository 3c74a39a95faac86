"""Who is reading: every reader holds a lock of its own that names its snapshot, so that a vacuum leaves its files alone."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = ".readers"
# What a reader says before it has found its snapshot.
ANY = "any"


class Reading:
    """A reader's own note."""

    def __init__(self, note: Path | None) -> None:
        self._note = note
        self._snapshots: set[str] = set()

    def holds(self, snapshot: int) -> None:
        """Says that a snapshot is being read, too."""
        if self._note is not None:
            self._snapshots.add(str(snapshot))
            with suppress(OSError):
                self._note.write_text(" ".join(sorted(self._snapshots)), encoding="ascii")


@contextmanager
def reading(root: Path) -> Iterator[Reading]:
    """Says for as long as it is open that somebody reads; where nothing may be written, nobody can vacuum either."""
    note = root / FOLDER / secrets.token_hex(8)
    lock = FileLock(note.with_suffix(".lock"), timeout=0)
    try:
        note.parent.mkdir(exist_ok=True)
        lock.acquire()
        note.write_text(ANY, encoding="ascii")
    except OSError:
        yield Reading(None)
        return
    try:
        yield Reading(note)
    finally:
        note.unlink(missing_ok=True)
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def held(root: Path) -> set[str]:
    """Returns the snapshots that are being read now, or ANY; notes of readers that died are taken away."""
    found = set()
    for path in (root / FOLDER).glob("*.lock"):
        note = path.with_suffix("")
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            with suppress(FileNotFoundError):
                found.update(note.read_text(encoding="ascii").split())
            continue
        note.unlink(missing_ok=True)
        lock.release()
        path.unlink(missing_ok=True)
    return found
