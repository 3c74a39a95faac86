"""A warehouse opened for writing: what a killed command left is settled first, and what is published counts as a whole."""

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline import advice, keyboard, models, remembered
from pipeline.disk import Stamps, drop_drafts, stamp
from pipeline.engine import Engine
from pipeline.errors import DistillError, InputError, WarehouseError
from pipeline.export import files, page_folder
from pipeline.export.corpora import EXPORTS
from pipeline.folders import must_be_apart
from pipeline.index import indexing, shelf
from pipeline.models import tables
from pipeline.run import Reporter, Run
from pipeline.settings import Settings
from pipeline.store import catalog, foreign, ledger, owner, snapshots
from pipeline.store.delta import DeltaStore, locked
from pipeline.store.mending import set_aside_torn_commits, take_out_lost_notes
from pipeline.store.snapshots import Snapshot

LANDING_TABLES = ("raw.lines", "raw.files")
FOLDERS = (page_folder.FOLDER, *(export.file.split("/")[0] for export in EXPORTS))


@contextmanager
def opened(settings: Settings, reporter: Reporter, *, drafting: bool = False, mending: bool = False) -> Iterator[Run]:
    """Yields a run on the warehouse, with everything that was published before it; nobody else writes there meanwhile.

    drafting: files are to be drafted: the exports folder is made, and marked as this warehouse's
    mending:  what nobody can read is set aside first, where a restore can do without it
    """
    must_be_apart(settings, with_data=False)
    with (
        advice.at(**{name: getattr(settings, name) for name in advice.FOLDERS}),
        locked(settings.warehouse),
        owner.held(settings.exports, make=drafting),
        _opened(settings, reporter, mending) as run,
    ):
        owner.must_be_ours(settings, run.store, run.engine, run.before, [export.file for export in EXPORTS])
        if drafting or (settings.exports / files.DRAFTS).exists():
            files.must_take_drafts(settings.exports, *FOLDERS)
        if drafting:
            owner.write(settings.exports, run.store, run.before.run_id if run.before is not None else None)
        yield run


@contextmanager
def _opened(settings: Settings, reporter: Reporter, mending: bool) -> Iterator[Run]:
    for folder in (settings.data, settings.warehouse, settings.exports, settings.reports):
        if re.search("[\ud800-\udfff]", str(folder.absolute())):
            raise InputError(f"{str(folder.absolute())!r}: the folder's name is no UTF-8; move or rename it")
    drop_drafts(settings.warehouse)
    spill = settings.warehouse / ".spill"
    shutil.rmtree(spill, ignore_errors=True)
    library, store, engine, lost = _tools(settings, spill, mending)
    try:
        now = datetime.now(UTC)
        lost += take_out_lost_notes(store, engine) if mending else []
        before = snapshots.latest(store, engine)
        if before is not None:
            sql = remembered.sql_folder(settings, before.state, before.run_id)
            if sql != settings.sql:
                settings = replace(settings, sql=sql)
                engine.close()
                library, store, engine, _ = _tools(settings, spill, mending)
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
            lost=tuple(lost),
            findings=foreign.findings(store, before),
            table_stamps=Stamps(store.root / snapshots.STAMPS),
        )
    finally:
        engine.close()
        shutil.rmtree(spill, ignore_errors=True)


def _tools(settings: Settings, spill: Path, mending: bool) -> tuple[models.Library, DeltaStore, Engine, list[str]]:
    library = models.load(settings.sql_folders())
    store = DeltaStore(settings.warehouse, tables.load(settings.sql_folders()))
    lost = set_aside_torn_commits(store) if mending else []
    store.create_missing()
    engine = Engine(library.functions.sql, threads=settings.threads, memory_limit=settings.memory_limit, spill=spill)
    return library, store, engine, lost


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
        with tolerant:
            if run.store.version(name) != version:
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
    keyboard.raise_if_interrupted()
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
    return tuple(_notes(run, snapshot))


def _notes(run: Run, snapshot: Snapshot) -> Iterator[str]:
    """Writes what is a convenience beside a published run, and yields what could not be: the next run writes it anew."""
    with suppress(OSError):
        run.stamps.write()  # without it the files are hashed once more
        run.table_stamps.write()
    try:
        if run.files and run.settings.exports.is_dir():
            owner.write(run.settings.exports, run.store, snapshot.run_id)
    except OSError as error:
        yield f"{run.settings.exports / owner.MARK} was not written, and names the run before: {error}"
    try:
        catalog.write(run.store, run.engine, snapshot)
    except (DistillError, OSError) as error:
        yield f"the catalog was not written, and shows the run before: {error}"
