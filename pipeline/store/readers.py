"""Who is reading: every reader holds a lock of its own that names its snapshot, so that a vacuum leaves its files alone."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

FOLDER = ".readers"
# What a reader says before it has found its snapshot.
ANY = "any"


class Reading:
    """A reader's own note: the snapshots it reads, and ANY while it looks for one more."""

    def __init__(self, note: Path | None) -> None:
        self._note = note
        self._held: set[str] = set()

    def looks(self) -> None:
        """Says that a snapshot is being looked for."""
        self._write({*self._held, ANY})

    def holds(self, snapshot: int) -> None:
        """Says which snapshot is being read, beside those that were said before."""
        self._held.add(str(snapshot))
        self._write(self._held)

    def _write(self, words: set[str]) -> None:
        if self._note is not None:
            with suppress(OSError):
                self._note.write_text(" ".join(sorted(words)), encoding="ascii")


@contextmanager
def reading(root: Path) -> Iterator[Reading]:
    """Says for as long as it is open that somebody reads; where nothing may be written, nobody can vacuum either."""
    try:
        (root / FOLDER).mkdir(exist_ok=True)
        note, lock = _locked(root)
    except OSError:
        yield Reading(None)
        return
    try:
        held = Reading(note)
        held.looks()
        yield held
    finally:
        note.unlink(missing_ok=True)
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def _locked(root: Path) -> tuple[Path, BaseFileLock]:
    while True:
        note = root / FOLDER / secrets.token_hex(8)
        lock = FileLock(note.with_suffix(".lock"), timeout=0)
        # A vacuum that looks whether somebody holds this lock holds it for that long itself.
        with suppress(Timeout):
            lock.acquire()
            return note, lock


def held(root: Path) -> set[str]:
    """Returns the snapshots that are being read now, and ANY where somebody did not say yet; dead notes are taken away."""
    found: set[str] = set()
    for path in (root / FOLDER).glob("*.lock"):
        note = path.with_suffix("")
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            # No note, or an empty one, is one that is being written.
            found.update(_words(note) or {ANY})
            continue
        note.unlink(missing_ok=True)
        lock.release()
        path.unlink(missing_ok=True)
    return found


def _words(note: Path) -> list[str]:
    try:
        return note.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
