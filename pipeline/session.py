"""A warehouse opened for writing: what a killed command left is settled first, and what is published counts as a whole."""

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime

from pipeline import keyboard, models
from pipeline.disk import Stamps, drop_drafts, stamp
from pipeline.engine import Engine
from pipeline.errors import DistillError, InputError, WarehouseError
from pipeline.export import files, page_folder
from pipeline.index import indexing, shelf
from pipeline.models import tables
from pipeline.run import Reporter, Run
from pipeline.settings import Settings
from pipeline.store import catalog, foreign, ledger, snapshots
from pipeline.store.delta import DeltaStore
from pipeline.store.snapshots import Snapshot

LANDING_TABLES = ("raw.lines", "raw.files")


@contextmanager
def opened(settings: Settings, reporter: Reporter) -> Iterator[Run]:
    """Yields a run on the warehouse, which must be locked, with everything that was published before it."""
    for folder in (settings.data, settings.warehouse, settings.exports, settings.reports):
        if re.search("[\ud800-\udfff]", str(folder.absolute())):
            raise InputError(f"{str(folder.absolute())!r}: the folder's name is no UTF-8; move or rename it")
    library = models.load(settings.sql_folders())
    store = DeltaStore(settings.warehouse, tables.load(settings.sql_folders()))
    store.create_missing()
    drop_drafts(settings.warehouse)
    spill = settings.warehouse / ".spill"
    shutil.rmtree(spill, ignore_errors=True)
    engine = Engine(library.functions.sql, threads=settings.threads, memory_limit=settings.memory_limit, spill=spill)
    try:
        now = datetime.now(UTC)
        before = snapshots.latest(store, engine)
        yield Run(
            settings=settings,
            library=library,
            store=store,
            engine=engine,
            run_id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
            started_at=now,
            recorded_at=settings.recorded_at or now,
            before=before,
            reporter=reporter,
            state=json.loads(json.dumps(before.state)) if before is not None else {},
            files=dict(before.files) if before is not None else {},
            stamps=Stamps(store.root / files.STAMPS),
            findings=foreign.findings(store, before),
            table_stamps=Stamps(store.root / snapshots.STAMPS),
        )
    finally:
        engine.close()
        shutil.rmtree(spill, ignore_errors=True)


def recover(run: Run, *, trusting: bool = False) -> None:
    """Takes back what an unpublished run wrote, except landed lines and receipts; finishes moving published files.

    trusting: don't look whether the published tables hold what was published: who restores may do so because they don't
    """
    shelf.drop_drafts(run.store.root)
    # Who restores a damaged state can't go back to it, and need not: the restore says anew what every table holds.
    tolerant: AbstractContextManager[bool | None] = suppress(WarehouseError) if trusting else nullcontext()
    # Before anything is taken back: what the log of a damaged table says is no guide.
    if run.before is not None and not trusting:
        snapshots.verify_contents(run.store, run.engine, run.before, run.table_stamps)
    with tolerant:
        foreign.take_back(run.store, run.before)
        ledger.undo_torn_load(run.store)
        ledger.undo_unpublished_restore(run.store, run.before.snapshot if run.before is not None else 0)
    for name in run.store.tables:
        if name in LANDING_TABLES or tables.is_chronicle(name):
            continue
        published = run.before.tables.get(name) if run.before is not None else None
        version = published.delta_version if published is not None else run.store.first_version(name)
        if run.store.version(name) != version:
            with tolerant:
                run.store.restore(name, version)
    run.since = {name: run.store.version(name) for name in run.store.tables}
    if run.before is not None:
        _settle_files(run, run.before)
    else:
        files.drop_drafts(run.settings.exports)


def _settle_files(run: Run, published: Snapshot) -> None:
    page_folder.put_in_place(run.settings.exports, published.files)
    files.put_in_place(run.settings.exports, published.files.values())
    if published.kind == "restore":
        _drop_others(run, published)


def _drop_others(run: Run, published: Snapshot) -> None:
    files.drop_others(run.settings.exports, published.files)
    page_folder.drop_others(run.settings.exports, published.files)


def make_places(run: Run) -> None:
    """Makes sure that drafts can be moved to where they belong: better to fail before a state is published than after."""
    files.make_places(run.settings.exports, run.files.values())
    page_folder.make_places(run.settings.exports)
    catalog.make_place(run.store)


def publish(run: Run, snapshot: Snapshot) -> tuple[str, ...]:
    """Makes a snapshot what readers see, and moves its files into their places, which were made before.

    Returns what went wrong after it counted.
    """
    keyboard.heed()
    exports = run.settings.exports
    # Before it counts: a name says what an index holds, so one that no snapshot names is in nobody's way.
    indexing.put_in_place(run, snapshot)
    snapshots.publish(run.store, snapshot)
    pages_moved = page_folder.put_in_place(exports, run.files, trusted=True)
    moved = files.put_in_place(exports, run.files.values(), trusted=True)
    if snapshot.kind == "restore":
        _drop_others(run, snapshot)
    for file in run.files.values():
        if file in moved:
            run.stamps.remember_own(file.path, file.sha256, stamp(exports / file.path))
        else:
            run.stamps.keep(file.path, file.sha256)
    pages_before = run.before.files.get(page_folder.MANIFEST) if run.before is not None else None
    page_folder.remember(exports, run.files, pages_before, run.stamps, pages_moved, run.pages_since)
    run.stamps.write()
    run.table_stamps.write()
    try:
        catalog.write(run.store, run.engine, snapshot)
    except (DistillError, OSError) as error:
        # The run is published: the catalog is a convenience beside it, and the next run writes it anew.
        return (f"the catalog was not written, and shows the run before: {error}",)
    return ()
