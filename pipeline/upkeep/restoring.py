"""The warehouse and its export files put back to a published state, as one new snapshot, and proven by hashing them again."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from pipeline import session
from pipeline.errors import UsageError
from pipeline.export import files, page_folder, pages, playbooks
from pipeline.export.corpora import EXPORTS
from pipeline.index import indexing
from pipeline.models.tables import is_chronicle
from pipeline.run import Reporter, Run
from pipeline.settings import Settings
from pipeline.store import foreign, ledger, snapshots
from pipeline.store.contents import Content, verify_content
from pipeline.store.snapshots import Snapshot


@dataclass(frozen=True)
class Step:
    """What a restore does to one table or file. `before` and `after` are rows; `version` the one that is put back."""

    name: str
    before: int
    after: int
    version: int | None
    changes: bool


@dataclass(frozen=True)
class Restored:
    """What a restore did, or would do.

    snapshot:  the new snapshot's number; None where nothing was written
    target:    the snapshot whose state was put back
    undone:    the runs that it took back, newest first
    """

    snapshot: int | None
    target: Snapshot
    undone: tuple[str, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


def restore(settings: Settings, to: str, reporter: Reporter, *, dry_run: bool = False) -> Restored:
    """Puts every table and export file back to what `to` names: a run, a release, `last-good`, `N runs ago` or a time.

    All of it is hashed again and held against what was published; only then is a snapshot published that names what it undid.
    Raises UsageError where nothing is named so, DamageError where a file is not what it was, and leaves what was published.
    """
    with session.opened(settings, reporter, drafting=not dry_run, mending=True) as run:
        # Who restores may do so because something is not what it looks like.
        run.stamps.forget()
        run.table_stamps.forget()
        session.recover(run, trusting=True)
        published = snapshots.read_all(run.store, run.engine)
        if not published or run.before is None:
            raise UsageError(f"{settings.warehouse}: nothing was published here yet, so there is nothing to restore")
        target = snapshots.resolve(published, to)
        undone = tuple(s.run_id for s in reversed(published) if s.snapshot > target.snapshot)
        plan = Restored(None, target, undone, _steps(run, target), run.lost)
        if dry_run:
            return plan
        snapshots.verify_rows(run.store, run.engine, target)
        try:
            contents = _restore(run, target)
        except BaseException:
            files.drop_drafts(settings.exports)
            session.recover(run, trusting=True)
            raise
        return _publish(run, plan, contents)


def _steps(run: Run, target: Snapshot) -> tuple[Step, ...]:
    before = run.before or target
    found = []
    for name in run.store.tables:
        if not is_chronicle(name):
            was, now = before.tables.get(name, Content(0)), target.tables.get(name, Content(0))
            found.append(Step(name, was.rows, now.rows, now.delta_version, was.sha256 != now.sha256))
    for path, file in target.files.items():
        look = page_folder.is_in_place if path == page_folder.MANIFEST else files.is_in_place
        in_place = look(run.settings.exports, file, run.stamps)
        rows = before.files[path].rows if path in before.files else 0
        found.append(Step(path, rows, file.rows, None, not in_place))
    for path, file in before.files.items():
        if path not in target.files:
            found.append(Step(path, file.rows, 0, None, (run.settings.exports / path).exists()))
    return tuple(found)


def _restore(run: Run, target: Snapshot) -> dict[str, Content]:
    """Restores the tables, reads all of them again, and drafts the files from them; returns what the tables hold now."""
    assert run.before is not None
    for name in run.store.tables:
        if not is_chronicle(name) and not name.startswith("raw."):
            run.store.restore(name, _version(run, target, name), {"run_id": run.run_id, "restores": target.run_id})
    lines, read = _version(run, target, "raw.lines"), _version(run, target, "raw.files")
    ledger.restore(run.store, lines, read, run.run_id, run.before.snapshot + 1)
    contents = {}
    for name, table in run.store.tables.items():
        if is_chronicle(name):
            contents[name] = Content(run.store.version(name))
            continue
        run.reporter.stage(name)
        expected = target.tables.get(name, Content(0))
        published = partial(snapshots.digests_in, run.store, run.engine, name)
        version = run.store.version(name)
        contents[name] = verify_content(run.store, run.engine, table, version, expected, published, run.table_stamps)
    for export in EXPORTS:
        if export.file in target.files:
            run.reporter.stage(export.file)
            files.draft_again(run, export, target.tables[export.table].delta_version, target.files[export.file])
    if page_folder.MANIFEST in target.files:
        run.reporter.stage(page_folder.MANIFEST)
        pages.draft_again(run, target.tables[playbooks.TABLE].delta_version, target.files[page_folder.MANIFEST])
    run.reporter.stage(indexing.NAME)
    indexing.bring_back(run, target)
    contents.pop(snapshots.SNAPSHOTS)
    return contents


def _version(run: Run, target: Snapshot, table: str) -> int:
    # A table that is younger than the snapshot was empty then.
    held = target.tables.get(table)
    return held.delta_version if held is not None else run.store.first_version(table)


def _publish(run: Run, plan: Restored, contents: dict[str, Content]) -> Restored:
    assert run.before is not None
    run.files = dict(plan.target.files)
    snapshot = replace(
        plan.target,
        snapshot=run.before.snapshot + 1,
        run_id=run.run_id,
        published_at=datetime.now(UTC),
        kind="restore",
        tables=contents,
        restored_run_id=plan.target.made_by,
        undone_run_ids=plan.undone,
        digests={},
    )
    session.make_places(run)
    foreign.refuse(run.store, run.since)
    notes = session.publish(run, snapshot)
    return replace(plan, snapshot=snapshot.snapshot, notes=(*plan.notes, *run.findings, *notes))
