"""Which versions of all tables belong together. A snapshot is the last commit of a run; readers see nothing newer."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa

from pipeline import advice, remembered
from pipeline.disk import Stamps
from pipeline.engine import Engine
from pipeline.errors import DamageError, UsageError
from pipeline.models.tables import is_chronicle
from pipeline.store.contents import Content, verify_content
from pipeline.store.delta import REPAIRED, DeltaStore

SNAPSHOTS = "ops.snapshots"
VACUUMS = "ops.vacuums"
RELEASES = "ops.releases"
AUDITS = "ops.audit_baselines"
REPLAYS = "replay.runs"
TASKS = "distill.tasks"
# What the first audit names as the one before it.
FIRST = "0" * 64
# In the commit of a snapshot: sha256 over its row.
ROW_SHA256 = "row_sha256"
# Below the warehouse: how the files of published tables looked when they were last hashed.
STAMPS = ".tables.json"
# The commit of the newest snapshot is one of so many.
RECENT = 10
# Tables that are written between runs too: a reader sees all of their rows, whichever snapshot it reads.
LOGS = (SNAPSHOTS, VACUUMS, RELEASES, AUDITS, REPLAYS, TASKS)


@dataclass(frozen=True)
class ExportFile:
    """A published file: its path below the exports folder, and its bytes' sha256."""

    path: str
    bytes: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class StageState:
    """What a stage was made from, and what it made.

    given_hash: of what came from outside alone: files and switches, not tables
    input_hash: of that and of the tables that it reads
    """

    name: str
    given_hash: str
    input_hash: str
    output_hash: str
    fingerprint: str


@dataclass(frozen=True)
class Snapshot:
    """One published state of the warehouse.

    kind:            run or restore
    state:           what the next run needs to go on from it
    restored_run_id: of a restore, the run whose state it brought back
    undone_run_ids:  of a restore, the runs that it took back
    vacuumed:        its files were taken away: it can't be read or restored any more
    audit_passed:    what its newest audit said; None where there was none
    releases:        the names under which it is frozen
    digests:         per table its Parquet files that were new, each with `rows:digest`
    """

    snapshot: int
    run_id: str
    published_at: datetime
    kind: str
    passed: bool
    run_hash: str
    tables: dict[str, Content]
    files: dict[str, ExportFile]
    stages: dict[str, StageState]
    state: dict[str, Any] = field(default_factory=dict)
    restored_run_id: str | None = None
    undone_run_ids: tuple[str, ...] = ()
    digests: dict[str, dict[str, str]] = field(default_factory=dict)
    vacuumed: bool = False
    audit_passed: bool | None = None
    releases: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """True where its run passed and its audit, if one was taken, passed."""
        return self.passed and self.audit_passed is not False

    @property
    def made_by(self) -> str:
        """The run that made this state: of a restore, the run that it brought back."""
        return self.restored_run_id or self.run_id


def read_all(store: DeltaStore, engine: Engine) -> list[Snapshot]:
    """Returns all snapshots, oldest first."""
    if not store.exists(SNAPSHOTS):
        return []
    _bind(store, engine, SNAPSHOTS)
    found = [_from_row(row) for row in engine.rows(f"select * from {SNAPSHOTS} order by snapshot")]
    if found:
        remembered.advise(store.root, found[-1].state)
    gone, releases, audits = _vacuumed(store, engine), _releases(store, engine), _audits(store, engine)
    known: dict[str, bool | None] = {}
    whole = []
    for snapshot in found:
        # A state that was put back is as good as it was found to be last.
        known[snapshot.made_by] = audits.get(snapshot.snapshot, known.get(snapshot.made_by))
        whole.append(
            replace(
                snapshot,
                vacuumed=gone(snapshot.snapshot),
                audit_passed=known[snapshot.made_by],
                releases=releases.get(snapshot.snapshot, ()),
            )
        )
    return whole


def _bind(store: DeltaStore, engine: Engine, table: str) -> None:
    """Binds a table without what another tool added to it."""
    engine.bind(table, store.read(table, store.own_version(table)).files, store.tables[table].schema)


def _releases(store: DeltaStore, engine: Engine) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    if store.exists(RELEASES):
        _bind(store, engine, RELEASES)
        for row in engine.rows(f"select name, snapshot from {RELEASES} order by frozen_at, name"):
            found[row["snapshot"]] = (*found.get(row["snapshot"], ()), row["name"])
    return found


def _audits(store: DeltaStore, engine: Engine) -> dict[int, bool]:
    """Returns the verdict of the newest audit of each snapshot that was audited."""
    if not store.exists(AUDITS):
        return {}
    _bind(store, engine, AUDITS)
    rows = engine.rows(f"select audit_id, snapshot, passed, previous_sha256, row_sha256 from {AUDITS}")
    return {row["snapshot"]: row["passed"] for row in in_order(store, rows)}


def in_order(store: DeltaStore, audits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns audits in the order in which they were committed, whatever the clock said: each names the one before it.

    Where they do not hang together in one chain, the log of their table tells their order.
    """
    next_to = {row["previous_sha256"]: row for row in audits}
    chain: list[dict[str, Any]] = []
    while (row := next_to.pop(chain[-1]["row_sha256"] if chain else FIRST, None)) is not None:
        chain.append(row)
    if len(chain) == len(audits):
        return chain
    version = {commit["run_id"]: commit["version"] for commit in store.history(AUDITS) if "run_id" in commit}
    return sorted(audits, key=lambda row: (version.get(row["audit_id"], -1), row["audit_id"]))


def _vacuumed(store: DeltaStore, engine: Engine) -> Callable[[int], bool]:
    """Returns whether what a snapshot names was taken away since."""
    if not store.exists(VACUUMS):
        return lambda snapshot: False
    _bind(store, engine, VACUUMS)
    done = engine.rows(f"select newest, kept from {VACUUMS}")
    return lambda snapshot: any(snapshot <= row["newest"] and snapshot not in row["kept"] for row in done)


def latest(store: DeltaStore, engine: Engine) -> Snapshot | None:
    """Returns the newest snapshot, or None where nothing was published yet."""
    if not store.exists(SNAPSHOTS):
        return None
    _bind(store, engine, SNAPSHOTS)
    rows = engine.rows(f"select * from {SNAPSHOTS} order by snapshot desc limit 1")
    if not rows:
        return None
    _verify_row(store, rows[0])
    newest = _from_row(rows[0])
    remembered.advise(store.root, newest.state)
    return newest


def _verify_row(store: DeltaStore, row: dict[str, Any]) -> None:
    """Holds the newest snapshot against what its commit says of it. Commits of older releases say nothing."""
    own = store.own_version(SNAPSHOTS)
    commits = (commit for commit in store.history(SNAPSHOTS, RECENT) if commit["version"] <= own)
    said = next((commit for commit in commits if "snapshot" in commit or REPAIRED in commit), {})
    if REPAIRED in said:
        return  # rows were lost since, and whoever restored was told so
    if said.get(ROW_SHA256, _row_sha256(row)) != _row_sha256(row) or said.get("snapshot", str(row["snapshot"])) != str(
        row["snapshot"]
    ):
        raise DamageError(
            f"{store.path(SNAPSHOTS)}: {SNAPSHOTS} does not hold snapshot {said['snapshot']} as it was published: "
            f"its files were changed or damaged since; {advice.way_out()}"
        )


def _row_sha256(row: dict[str, Any]) -> str:
    """Returns a hash over a row; columns that are younger than it do not count."""
    held = {name: value for name, value in row.items() if value is not None}
    return hashlib.sha256(json.dumps(held, sort_keys=True, default=str).encode()).hexdigest()


def publish(store: DeltaStore, snapshot: Snapshot) -> None:
    """Appends the snapshot: from this commit on, readers see its versions."""
    totals = {name: f"{content.total:x}" for name, content in snapshot.tables.items()}
    row = {
        "snapshot": snapshot.snapshot,
        "run_id": snapshot.run_id,
        "published_at": snapshot.published_at,
        "kind": snapshot.kind,
        "passed": snapshot.passed,
        "run_hash": snapshot.run_hash,
        "tables": [
            {"name": name, "delta_version": c.delta_version}
            | ({} if is_chronicle(name) else {"rows": c.rows, "sha256": c.sha256})
            for name, c in sorted(snapshot.tables.items())
        ],
        "files": [asdict(file) for _, file in sorted(snapshot.files.items())],
        "stages": [asdict(stage) for stage in snapshot.stages.values()],
        "restored_run_id": snapshot.restored_run_id,
        "undone_run_ids": list(snapshot.undone_run_ids) or None,
        "state": json.dumps(snapshot.state | {"totals": totals}, sort_keys=True),
        "digests": json.dumps(snapshot.digests, sort_keys=True),
    }
    table = pa.Table.from_pylist([row], schema=store.tables[SNAPSHOTS].schema)
    said = {"run_id": snapshot.run_id, "snapshot": str(snapshot.snapshot), ROW_SHA256: _row_sha256(table.to_pylist()[0])}
    store.append(SNAPSHOTS, table, said)


def verify_rows(store: DeltaStore, engine: Engine, snapshot: Snapshot) -> None:
    """Holds the rows that tables have against those that were published; reads only the ends of files.

    Raises DamageError where a table has others: its log or its files were damaged since.
    """
    published = {name: content for name, content in snapshot.tables.items() if not is_chronicle(name) and name in store.tables}
    for name, content in published.items():
        _must_have(store, name, content, snapshot)
    files = {name: store.read(name, content.delta_version).files for name, content in published.items()}
    held = engine.rows_in([file for listed in files.values() for file in listed])
    for name, content in published.items():
        rows = sum(held[file] for file in files[name])
        if rows != content.rows:
            raise DamageError(
                f"{store.path(name)}: version {content.delta_version} holds {rows} rows, but {content.rows} were published "
                f"with run {snapshot.run_id}: its log or its files were damaged; {advice.way_out()}"
            )


def verify_contents(store: DeltaStore, engine: Engine, snapshot: Snapshot, stamps: Stamps) -> None:
    """Holds what tables hold against what was published. Files that look as they did when they were last hashed are not read.

    Raises DamageError, which names file and table, where something else is there.
    """

    for name, content in snapshot.tables.items():
        if not is_chronicle(name) and name in store.tables:
            _must_have(store, name, content, snapshot)
            version, table = content.delta_version, store.tables[name]
            verify_content(store, engine, table, version, content, partial(digests_in, store, engine, name), stamps)


def digests_in(store: DeltaStore, engine: Engine, table: str) -> dict[str, str]:
    """Returns what each Parquet file of a table held when it was published."""
    found: dict[str, str] = {}
    for snapshot in read_all(store, engine):
        found |= snapshot.digests.get(table, {})
    return found


def _must_have(store: DeltaStore, name: str, content: Content, snapshot: Snapshot) -> None:
    if content.delta_version > (last := store.last_in_log(name)):
        raise DamageError(
            f"{store.path(name)}: run {snapshot.run_id} published version {content.delta_version}, and the newest that is "
            f"there is {last}: a file of its log is lost; {advice.way_out()}"
        )


def _from_row(row: dict[str, Any]) -> Snapshot:
    state = json.loads(row["state"])
    totals = state.pop("totals")
    tables = {t["name"]: Content(t["delta_version"], t["rows"] or 0, int(totals[t["name"]], 16)) for t in row["tables"]}
    return Snapshot(
        snapshot=row["snapshot"],
        run_id=row["run_id"],
        published_at=row["published_at"],
        kind=row["kind"],
        passed=row["passed"],
        run_hash=row["run_hash"],
        tables=tables,
        files={f["path"]: ExportFile(**f) for f in row["files"]},
        stages={s["name"]: StageState(**s) for s in row["stages"]},
        state=state,
        restored_run_id=row["restored_run_id"],
        undone_run_ids=tuple(row["undone_run_ids"] or ()),
        digests=json.loads(row["digests"]),
    )


def resolve(published: Sequence[Snapshot], as_of: str) -> Snapshot:
    """Returns the snapshot that a text names: a run id, a release, `latest`, `last-good`, `N runs ago`, or a time.

    A time means the newest snapshot published until then. Raises UsageError where nothing fits.
    """
    newest_first = sorted(published, key=lambda snapshot: snapshot.snapshot, reverse=True)
    if as_of == "latest":
        return newest_first[0]
    if as_of == "last-good":
        found = [snapshot for snapshot in newest_first if snapshot.is_good and not snapshot.vacuumed]
    elif matched := re.fullmatch(r"([0-9]{1,9}) runs? ago", as_of):
        found = newest_first[int(matched[1]) :]
    else:
        found = [snapshot for snapshot in newest_first if as_of in (snapshot.run_id, *snapshot.releases)]
        if not found and (moment := _moment(as_of)) is not None:
            found = [snapshot for snapshot in newest_first if snapshot.published_at <= moment]
    if not found:
        known = ", ".join(snapshot.run_id for snapshot in newest_first[:5])
        raise UsageError(
            f"{as_of!r} names no published run; give a run id, a release, latest, last-good, 'N runs ago' or a time. "
            f"The newest runs are {known}"
        )
    if found[0].vacuumed:
        kept = ", ".join(snapshot.run_id for snapshot in newest_first if not snapshot.vacuumed)
        raise UsageError(f"run {found[0].run_id} was vacuumed: its files are gone. There are still {kept}")
    return found[0]


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
