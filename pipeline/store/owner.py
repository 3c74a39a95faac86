"""Whose an exports folder is: a mark in it names its warehouse, and a lock lets one command at a time write to it.

The warehouse's name is the id that Delta gave to its table of snapshots: it stays when the warehouse, the exports or both are
moved. A copy of a warehouse has the same, so the mark also names the run whose files were put there last: a warehouse that does
not know that run is a copy that went another way, or an older state of it, and the files are not its own.
"""

import json
import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline import advice
from pipeline.disk import file_sha256, replace_file
from pipeline.engine import Engine
from pipeline.errors import DamageError, LockedError, UsageError
from pipeline.settings import Settings
from pipeline.store import snapshots
from pipeline.store.delta import DeltaStore
from pipeline.store.snapshots import SNAPSHOTS, Snapshot

MARK = ".owner.json"
LOCK = ".lock"
_UNKNOWN = "its files are none that this warehouse published"


@dataclass(frozen=True)
class Mark:
    """warehouse: its id; run_id: whose files were put here last, None where nothing was yet; place: where the warehouse was."""

    warehouse: str
    run_id: str | None
    place: str


def read(exports: Path) -> Mark | None:
    """Returns the mark of an exports folder; None where there is none that can be read."""
    try:
        found = json.loads((exports / MARK).read_text(encoding="utf-8"))
        return Mark(str(found["warehouse"]), found["run_id"], str(found["place"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def write(exports: Path, store: DeltaStore, run_id: str | None) -> None:
    """Marks an exports folder, which is made where there is none, as this warehouse's."""
    mark = Mark(store.identity(SNAPSHOTS), run_id, str(store.root))
    if read(exports) != mark:
        replace_file(exports / MARK, json.dumps(asdict(mark)).encode())


@contextmanager
def held(exports: Path, *, make: bool) -> Iterator[None]:
    """Holds an exports folder, where there is or is to be one, for one command. Raises LockedError where another holds it."""
    if make:
        exports.mkdir(parents=True, exist_ok=True)
    if not exports.is_dir():
        yield
        return
    lock = FileLock(exports / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(
            f"{exports} is locked by another distill command, which works on another warehouse; wait for it to end, "
            "or give this warehouse a folder of its own with --exports"
        ) from None
    except OSError:
        # Nobody can write there: what only reads it may go on, and who drafts a file finds out.
        yield
        return
    try:
        yield
    finally:
        lock.release()


def must_be_ours(
    settings: Settings, store: DeltaStore, engine: Engine, before: Snapshot | None, corpora: Collection[str]
) -> None:
    """Raises UsageError where the files in the exports folder are another warehouse's.

    corpora: names of files below the folder. Releases before the mark left none: the folder is ours where they are, or none is.
    """
    exports, mark = settings.exports, read(settings.exports)
    if mark is None:
        there = _held(exports, corpora)
        if there and not _published(snapshots.read_all(store, engine), exports, there):
            raise _refused(settings, _UNKNOWN)
    elif mark.warehouse != store.identity(SNAPSHOTS):
        must_be_free(settings, corpora)
    elif mark.run_id is not None and not _known(mark.run_id, store, engine, before):
        raise _refused(
            settings,
            f"its files are of run {mark.run_id}, which this warehouse does not know: it is a copy, or an earlier state, "
            f"of the one at {mark.place!r}",
        )


def must_be_free(settings: Settings, corpora: Collection[str]) -> None:
    """Raises UsageError where somebody put files into the exports folder of a warehouse that does not exist yet.

    The claim of a warehouse that never put anything there keeps nobody out.
    """
    mark, there = read(settings.exports), _held(settings.exports, corpora)
    if mark is not None and (mark.run_id is not None or there):
        raise _refused(settings, f"it belongs to another warehouse, which was at {mark.place!r} when it wrote there last")
    if there:
        raise _refused(settings, _UNKNOWN)


def _held(exports: Path, corpora: Collection[str]) -> list[str]:
    """Returns which corpora are there; an empty one could be anybody's."""
    return [name for name in corpora if (exports / name).is_file() and (exports / name).stat().st_size]


def is_foreign(exports: Path, store: DeltaStore) -> bool:
    """True where an exports folder is marked as another warehouse's."""
    mark = read(exports)
    return mark is not None and mark.warehouse != store.identity(SNAPSHOTS)


def _published(published: Sequence[Snapshot], exports: Path, there: Collection[str]) -> bool:
    """True where one of the files is as some snapshot has it: a kill, or an editor, may have left others that are not."""
    ours = {(file.path, file.sha256) for snapshot in published for file in snapshot.files.values()}
    return any((name, file_sha256(exports / name)) in ours for name in there)


def _known(run_id: str, store: DeltaStore, engine: Engine, before: Snapshot | None) -> bool:
    if before is not None and before.run_id == run_id:
        return True
    if run_id in {snapshot.run_id for snapshot in snapshots.read_all(store, engine)}:
        return True
    try:
        # A snapshot that was lost is known from the notes of its run.
        engine.bind("ops.runs", store.read("ops.runs").files, store.tables["ops.runs"].schema)
        return bool(engine.rows("select run_id from ops.runs where run_id = ?", [run_id]))
    except DamageError:
        return True  # nobody can tell: a warehouse that is being mended is not kept from its files


def _refused(settings: Settings, why: str) -> UsageError:
    with advice.at(**{name: getattr(settings, name) for name in advice.FOLDERS}):
        command = advice.run_into(advice.free(settings.exports))
    emptied = shlex.join(["rm", "-r", str(settings.exports)])
    return UsageError(
        f"{settings.exports}: {why}; next: `{command}`, or, where nobody needs those files any more, `{emptied}` "
        "and the same command again"
    )
