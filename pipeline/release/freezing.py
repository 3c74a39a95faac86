"""A freeze from its first look to its row in ops.releases: six gates, and nothing is pinned unless all of them passed."""

import json
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import acceptance, remembered, session
from pipeline.audit import baseline, conduct
from pipeline.audit.context import Context
from pipeline.disk import replace_file
from pipeline.errors import DistillError, UsageError
from pipeline.models import Library
from pipeline.reader import Warehouse
from pipeline.release import manifest, naming, page, repository, resolving, suite
from pipeline.release.repository import State
from pipeline.release.verdicts import ACCEPTANCE, AUDIT, GIT, NAME, TESTS, VERSIONS, Verdicts
from pipeline.reports.receipts import iso, write_report
from pipeline.run import Reporter, Run
from pipeline.settings import Settings
from pipeline.store import catalog, snapshots
from pipeline.store.delta import locked
from pipeline.store.snapshots import RELEASES, Snapshot

REPORT = "release-freeze.md"
MANIFEST = "release-manifest.json"


@dataclass(frozen=True)
class Frozen:
    """What came of a freeze. `manifest` says whether it passed; `tag` is the command that is left to a person."""

    manifest: dict[str, Any]
    tag: str | None
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return bool(self.manifest["frozen"])


@dataclass
class _Attempt:
    """What a freeze knows so far."""

    settings: Settings
    name: str
    tests: str | None
    verdicts: Verdicts
    snapshot: Snapshot
    published: list[Snapshot]
    library: Library
    git: State = field(default_factory=State)
    examined: Sequence[acceptance.Verdict] = ()
    baseline: dict[str, Any] | None = None

    def look_at_git(self) -> list[str]:
        """Looks at the repository of --sql, else of the current folder; a second look must find the same."""
        outputs = (self.settings.warehouse, self.settings.exports, self.settings.reports)
        seen = repository.look(self.settings.sql or Path.cwd(), outputs)
        before, self.git = self.git, seen
        if before.head is not None and not seen.findings and seen.head != before.head:
            return [f"{seen.root}: commit {before.head} was checked out when the gates began, and now it is {seen.head}"]
        return list(seen.findings)

    def document(self) -> dict[str, Any]:
        tests = self.tests or suite.DEFAULT
        at = datetime.now(UTC)
        return manifest.document(self.name, at, self.git, self.snapshot, self.library, tests, self.baseline, self.verdicts)


def freeze(settings: Settings, name: str, reporter: Reporter, *, tests: str | None = None) -> Frozen:
    """Holds six gates against the newest state and, where all of them pass, freezes it under a name.

    tests: the command that runs the tests; `make test` where none is given
    Writes the reports in either case. Raises UsageError for an odd name, LockedError while another command is at work.
    """
    naming.refuse_odd(name)
    if tests is not None and not tests.strip():
        raise UsageError("--tests names no command; a release can't be frozen without tests")
    attempt = _begin(settings, name, reporter, tests)
    verdicts = attempt.verdicts
    verdicts.judge(GIT, attempt.look_at_git)
    # Twice: before minutes are spent, and again under the lock.
    verdicts.judge(NAME, lambda: naming.taken(name, attempt.published, attempt.git.root))
    verdicts.judge_if_all_passed(TESTS, lambda: suite.failures(tests, attempt.git.root or Path.cwd(), settings.reports))
    try:
        document = _decide(attempt, reporter)
    except (DistillError, OSError):
        _report(settings, attempt.document(), None)
        raise
    tag = _tag(attempt) if document["frozen"] else None
    try:
        _report(settings, document, tag)
    except OSError as error:
        if not document["frozen"]:
            raise
        return Frozen(document, tag, (f"the reports were not written: {error}; the manifest is in {RELEASES}",))
    return Frozen(document, tag)


def _begin(settings: Settings, name: str, reporter: Reporter, tests: str | None) -> _Attempt:
    with locked(settings.warehouse):
        warehouse = Warehouse(settings.warehouse, sql=settings.sql)
        published = warehouse.snapshots()
        if published:
            settings = replace(settings, sql=remembered.sql_folder(settings, published[-1].state, published[-1].run_id))
            warehouse = Warehouse(settings.warehouse, sql=settings.sql)
    if not published:
        raise UsageError(f"{settings.warehouse}: nothing was published here yet, so there is nothing to freeze")
    return _Attempt(settings, name, tests, Verdicts(reporter), published[-1], published, warehouse.library)


def _decide(attempt: _Attempt, reporter: Reporter) -> dict[str, Any]:
    """Holds the gates that look at the warehouse, which stays locked until the release is pinned; returns the manifest."""
    settings, verdicts = attempt.settings, attempt.verdicts
    with session.opened(settings, reporter) as run:
        session.recover(run, trusting=True)
        began_with, attempt.snapshot = attempt.snapshot.snapshot, run.before or attempt.snapshot
        attempt.library = run.library
        verdicts.judge(VERSIONS, lambda: resolving.problems(run, attempt.snapshot, began_with))
        verdicts.judge_if_all_passed(ACCEPTANCE, lambda: _acceptance(attempt))
        verdicts.judge_if_all_passed(AUDIT, lambda: _audit(run, attempt))
        if not verdicts.failed:
            # The tests may have changed the repository, and so may anybody while they ran.
            verdicts.judge(GIT, attempt.look_at_git)
            verdicts.judge(NAME, lambda: _taken(run, attempt))
        document = attempt.document()
        if document["frozen"]:
            _pin(run, attempt.snapshot, document)
        return document


def _taken(run: Run, attempt: _Attempt) -> list[str]:
    return naming.taken(attempt.name, snapshots.read_all(run.store, run.engine), attempt.git.root)


def _acceptance(attempt: _Attempt) -> list[str]:
    attempt.examined = acceptance.examine(attempt.settings.sql)
    return [f"{verdict.number} {verdict.name}: {verdict.detail}" for verdict in attempt.examined if not verdict.passed]


def _audit(run: Run, attempt: _Attempt) -> list[str]:
    found = conduct(Context(run, attempt.snapshot, examined=attempt.examined))
    row = baseline.history(run)[-1]
    attempt.baseline = row | {"audited_at": iso(row["audited_at"])}
    return [f"{result.number} {result.name}: {text}" for result in found.results for text in result.findings]


def _pin(run: Run, snapshot: Snapshot, document: dict[str, Any]) -> None:
    """One commit: before it there is no release, after it there is all of it."""
    row = {
        "name": document["name"],
        "snapshot": snapshot.snapshot,
        "run_id": snapshot.run_id,
        "frozen_at": datetime.fromisoformat(document["decided_at"]),
        "manifest": json.dumps(document, ensure_ascii=False),
    }
    table = pa.Table.from_pylist([row], schema=run.store.tables[RELEASES].schema)
    run.store.append(RELEASES, table, {"run_id": run.run_id, "release": document["name"]})
    # The catalog is a convenience beside it, and the next run writes it anew.
    with suppress(DistillError, OSError):
        catalog.write(run.store, run.engine, snapshot)


def _tag(attempt: _Attempt) -> str:
    """Returns the command that tags the commit; a person gives it, since tags are pushed and seen by others."""
    root, snapshot = attempt.git.root, attempt.snapshot
    elsewhere = ["-C", str(root)] if root is not None and not Path.cwd().resolve().is_relative_to(root.resolve()) else []
    message = f"distillery release {attempt.name}: snapshot {snapshot.snapshot}, run {snapshot.run_id}"
    return shlex.join(["git", *elsewhere, "tag", "-a", attempt.name, "-m", message, str(attempt.git.head)])


def _report(settings: Settings, document: dict[str, Any], tag: str | None) -> None:
    write_report(settings.reports, MANIFEST, document)
    replace_file(settings.reports / REPORT, page.render(document, tag).encode("utf-8", "replace"))
