"""The temporary folder of an examination: runs of the fixture, and a note of what each of them left behind."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.acceptance.fixture import KNOWN_PATHS, Fixture
from pipeline.disk import file_sha256
from pipeline.errors import DistillError, GateError
from pipeline.index import indexing, shelf
from pipeline.models.tables import is_chronicle
from pipeline.reader import Warehouse
from pipeline.reports.receipts import Receipt
from pipeline.runner import Outcome, run_stages
from pipeline.settings import Gates, Settings
from pipeline.store import owner

RECORDED_AT = datetime(2026, 5, 1, tzinfo=UTC)
GATES = Gates(known_paths=KNOWN_PATHS)
TEXT, NUMBER, TRUTH = pa.string(), pa.int64(), pa.bool_()
NOTES = {
    "facts.runs": {"name": TEXT, "run_id": TEXT, "passed": TRUTH, "exit_code": NUMBER, "error": TEXT},
    "facts.stages": {"name": TEXT, "stage": TEXT, "status": TEXT},
    "facts.versions": {"name": TEXT, "table_name": TEXT, "delta_version": NUMBER},
    "facts.files": {"name": TEXT, "path": TEXT, "sha256": TEXT},
}

Facts = dict[str, pa.Table]


class Quiet:
    """Watches a run and says nothing."""

    def stage(self, name: str) -> None: ...

    def advance(self, amount: int) -> None: ...

    def done(self, receipt: Receipt) -> None: ...


@dataclass
class Bench:
    """Where the fixture is run, by which models, and what was noted of every run."""

    root: Path
    fixture: Fixture
    sql: Path | None = None
    noted: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in NOTES})

    def settings(self, home: str, files: list[str] | None = None, gates: Gates = GATES) -> Settings:
        """Returns the settings of a run in the warehouse `home`, over all files of the fixture or over some."""
        root = self.root / home
        return Settings(
            data=self.fixture.write(root / "data", files),
            warehouse=root / "warehouse",
            exports=root / "exports",
            reports=root / "reports",
            sql=self.sql,
            gates=gates,
            recorded_at=RECORDED_AT,
            threads=1,
        )

    def run(self, name: str, settings: Settings, *, must_pass: bool = True) -> tuple[Warehouse, Outcome]:
        """Runs everything once and notes what came of it. Raises GateError where a run fails that must not."""
        outcome = run_stages(settings, Quiet())
        failure = outcome.failure
        if failure is not None and must_pass:
            raise GateError(f"the run {name!r} of the fixture failed, so no invariant can be held against it: {failure}")
        warehouse = Warehouse(settings.warehouse, sql=settings.sql)
        ended = {"passed": failure is None, "exit_code": failure.exit_code if failure is not None else 0}
        self._note("facts.runs", name, [{"run_id": outcome.run_id, "error": str(failure) if failure else None} | ended])
        self._note("facts.stages", name, [{"stage": r["stage"], "status": r["status"]} for r in outcome.receipts])
        self._note("facts.versions", name, _versions(warehouse))
        self._note("facts.files", name, [*_files(settings.exports), *_index(warehouse)])
        return warehouse, outcome

    def notes(self) -> Facts:
        """Returns what was noted, as tables."""
        return {
            table: pa.Table.from_pylist(rows, schema=pa.schema(list(NOTES[table].items())))
            for table, rows in self.noted.items()
        }

    def _note(self, table: str, name: str, rows: list[dict[str, Any]]) -> None:
        self.noted[table] += [{"name": name} | row for row in rows]


def _versions(warehouse: Warehouse) -> list[dict[str, Any]]:
    """The versions that readers see; none where nothing was published."""
    try:
        tables = warehouse.snapshot().tables
    except DistillError:
        return []
    held = ((name, content.delta_version) for name, content in tables.items() if not is_chronicle(name))
    return [{"table_name": name, "delta_version": version} for name, version in held]


def _files(exports: Path) -> list[dict[str, Any]]:
    # Whose the folder is differs from warehouse to warehouse, and no trainer reads it.
    paths = sorted(path for path in exports.rglob("*") if path.is_file() and path.name != owner.MARK)
    return [{"path": path.relative_to(exports).as_posix(), "sha256": file_sha256(path)} for path in paths]


def _index(warehouse: Warehouse) -> list[dict[str, Any]]:
    """The index of the newest state, if it is on disk; its name says what it holds, its files have other names each time."""
    published = warehouse.snapshots()
    name = indexing.name_in(published[-1]) if published else None
    there = name is not None and shelf.flaw(shelf.place(warehouse.store.root, name)) is None
    return [{"path": shelf.ROOM, "sha256": name}] if there else []
