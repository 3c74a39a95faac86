"""What the tests of restore, vacuum, history and diff share: a warehouse of five runs that differ, and what each published."""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.models.tables import is_chronicle
from pipeline.reader import Warehouse
from pipeline.settings import Gates
from pipeline.upkeep.restoring import Restored, restore
from tests.conftest import Silent, Workspace
from tests.support.killing import published_files
from tests.support.rows import copied_sql, edit, review

SCORER = "2_scored/observer_reviews.sql"
STREAM = "observer_reviews.jsonl"


@dataclass(frozen=True)
class State:
    """All that one run published: the rows of each table as sorted JSON, every content hash, and the files' bytes."""

    run_id: str
    rows: dict[str, list[str]]
    hashes: dict[str, str]
    files: dict[str, bytes]

    def same(self, other: "State") -> bool:
        """True where another state holds the same, whoever published it."""
        return replace(self, run_id="") == replace(other, run_id="")


def state_of(workspace: Workspace, as_of: str = "latest", *, landed: bool = True) -> State:
    """Returns what readers see. landed: with who landed lines; False to hold two warehouses against each other."""
    warehouse, rows = reader(workspace.settings.warehouse), {}
    with warehouse.opened() as engine:
        snapshot = warehouse.find(engine, as_of)
        hashes = {name: held.sha256 for name, held in snapshot.tables.items() if not is_chronicle(name)}
        if not landed:
            del hashes["raw.files"]  # one row per load: how often was landed is no content
        for name in hashes:
            engine.bind(name, warehouse.files(name, snapshot), warehouse.store.tables[name].schema)
            rows[name] = sorted(_text(row, landed=landed) for row in engine.rows(f"select * from {name}"))
    return State(snapshot.run_id, rows, hashes, published_files(workspace))


@cache
def reader(folder: Path) -> Warehouse:
    """Returns a reader that has read the declarations below sql/ once."""
    return Warehouse(folder)


def _text(row: dict[str, Any], *, landed: bool) -> str:
    return json.dumps({name: value for name, value in row.items() if landed or name != "load_id"}, default=str, sort_keys=True)


@dataclass(frozen=True)
class History:
    """A warehouse, and the five states that were published in it, oldest first."""

    root: Path
    states: tuple[State, ...]

    def copy(self, root: Path) -> Workspace:
        return Workspace(self.root).copy(root)

    def run_id(self, number: int) -> str:
        return self.states[number - 1].run_id


def make_history(root: Path) -> History:
    """Publishes five states: other rows, other SQL, other switches each time; the last one changes the SQL alone."""
    workspace, states = Workspace(root), []
    second, third = copied_sql(root / "sql-2"), copied_sql(root / "sql-3")
    edit(second / SCORER, "score('partially_accepted', ['observer_cycle'])", "score('accepted', ['observer_went_round'])")
    edit(third / SCORER, "score('rejected', ['observer_reject'])", "score('needs_human_review', ['observer_unsure'])")
    (root / "known.txt").write_text("t1.py\nt3.py\n")
    steps: tuple[tuple[list[Any], dict[str, Any]], ...] = (
        (rows_of(0, 12), {}),
        (rows_of(12, 20), {"gates": Gates(include_review=True)}),
        ([b"{broken", *rows_of(10, 30)], {"gates": Gates(include_partial=True), "sql": second}),
        ([b"\xff\xfe", *rows_of(30, 34)], {"gates": Gates(known_paths=root / "known.txt")}),
        ([], {"sql": third}),
    )
    for number, (rows, changes) in enumerate(steps):
        workspace.write(STREAM, rows)
        workspace.write("tickets.jsonl", [{"number": number, "not": "mapped"}] if rows else [])
        workspace.passed(**changes)
        states.append(state_of(workspace))
    return History(root, tuple(states))


def last_settings(workspace: Workspace) -> dict[str, Any]:
    """Returns the switches of the fifth run."""
    return {"sql": workspace.root / "sql-3"}


def rows_of(first: int, last: int) -> list[dict[str, Any]]:
    verdicts = ("accept", "reject", "cycle", "")
    return [
        review(f"t{n % 5}", verdicts[n % 4], f"note {n}", n % 60, model=f"m-{n % 2}", cost_usd=n / 7)
        for n in range(first, last)
    ]


def put_back(workspace: Workspace, to: str, **options: Any) -> Restored:
    return restore(workspace.settings, to, Silent(), **options)


def all_files(root: Path) -> dict[str, tuple[bytes, int]]:
    """Returns every file below a folder with its time, but for locks."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != ".lock" and path.name != ".lock")
    return {path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def new_files(workspace: Workspace, table: str, state: str, without: str) -> list[Path]:
    """Returns the Parquet files of a table that one state needs and another does not."""
    warehouse = reader(workspace.settings.warehouse)
    needed, other = (set(warehouse.files(table, warehouse.snapshot(name))) for name in (state, without))
    return sorted(Path(name) for name in needed - other)
