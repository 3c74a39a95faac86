"""Files of the warehouse are damaged: refused by name, and what the message says to type mends it; or it was no matter."""

from itertools import product
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from pipeline.errors import WarehouseError
from tests.conftest import Workspace
from tests.faults.damage import WAYS, newest
from tests.faults.record import Faults
from tests.faults.scene import Scene, clear, drawn, mended, recovers, what
from tests.support.forked import Distill, each, run_in
from tests.support.killing import contents, run

READ = ("raw.lines", "raw.files", "evidence.records", "scored.runs", "exports.texts", "exports.rag", "exports.quarantine")
LOGS = ("ops.snapshots", "ops.receipts")
PARQUET = [*product(("raw.lines",), WAYS)]
PARQUET += [(table, list(WAYS)[number % 6]) for number, table in enumerate(READ[1:])]
PARQUET += [("ops.snapshots", way) for way in ("emptied", "lost", "flipped")]
LOG = [("raw.lines", way, "newest") for way in WAYS] + [("raw.files", "lost", "newest")]
LOG += [(table, list(WAYS)[number % 6], "newest") for number, table in enumerate((*READ[2:], *LOGS), 1)]
LOG += [("raw.lines", "lost", "middle"), ("exports.rag", "truncated", "middle"), ("raw.files", "zeroed", "first")]
LOG += [("evidence.records", "flipped", "middle")]
CHECKPOINT = [
    ("raw.lines", way, name) for way, name in product(("truncated", "lost", "flipped"), ("*.parquet", "_last_checkpoint"))
]


def folder_of(workspace: Workspace, table: str) -> Path:
    return workspace.settings.warehouse / table.replace(".", "/")


def survives(scene: Scene, distill: Distill, workspace: Workspace, table: str, path: Path) -> None:
    """A run over a damaged warehouse comes out right, or is refused; or what it could not see is found by the hashes."""
    done = run(distill, workspace)
    assert scene.is_gated(workspace), done.text
    if done.code != 0:
        if "nothing was published" not in done.err:  # refused before the first stage
            assert not [step for step in done.steps if step.startswith(("restore", "write_deltalake", "create_w"))], done.text
        assert path.name in done.err or str(folder_of(workspace, table)) in done.err, (
            f"{path}: it is not said where: {done.text}"
        )
        mended(scene, distill, workspace, clear(done))
    elif what(workspace) != scene.all:
        # A run counts what was published and reads what it needs; that each value is the one that was published, hashes tell.
        found = clear(run_in(distill, workspace, "restore", "--to", "latest"))
        assert path.name in found.err, f"{path}: it is not said where: {found.text}"
        mended(scene, distill, workspace, found)


def test_parquet(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    def work(distill: Distill, case: tuple[str, str]) -> None:
        table, way = case
        workspace = scene.copy(tmp_path / "-".join(case))
        path = newest(folder_of(workspace, table), "*.parquet")
        WAYS[way](path, drawn(*case))
        survives(scene, distill, workspace, table, path)
        faults.injected("Parquet file damaged")

    each(work, PARQUET)


def test_log(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    def work(distill: Distill, case: tuple[str, str, str]) -> None:
        table, way, place = case
        workspace = scene.copy(tmp_path / "-".join(case))
        logs = sorted(folder_of(workspace, table).glob("_delta_log/*.json"))
        path = logs[{"newest": -1, "middle": len(logs) // 2, "first": 0}[place]]
        WAYS[way](path, drawn(*case))
        sees(scene, workspace)
        survives(scene, distill, workspace, table, path)
        faults.injected("Delta log damaged")

    each(work, LOG)


def sees(scene: Scene, workspace: Workspace) -> None:
    """Readers see a published state, whole, or are told; never something in between."""
    try:
        seen = contents(workspace)
    except WarehouseError as error:
        assert "next: " in str(error)
    else:
        assert seen in (scene.newest.tables, scene.oldest.tables, None)


def test_checkpoint(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    def work(distill: Distill, case: tuple[str, str, str]) -> None:
        table, way, name = case
        workspace = scene.copy(tmp_path / f"{way} {name.strip('*')}")
        DeltaTable(str(folder_of(workspace, table))).create_checkpoint()
        path = newest(folder_of(workspace, table) / "_delta_log", name)
        WAYS[way](path, drawn(*case))
        sees(scene, workspace)
        survives(scene, distill, workspace, table, path)
        faults.injected("Delta checkpoint damaged")

    each(work, CHECKPOINT)


def test_everything_but_the_lines_is_lost(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    """No state can be restored: then the way out is the one by the source files, and it is the one that is said."""

    def work(distill: Distill, table: str) -> None:
        workspace = scene.copy(tmp_path / table)
        for path in folder_of(workspace, table).glob("*.parquet"):
            path.unlink()
        mended(scene, distill, workspace, clear(run(distill, workspace), ".parquet"))
        recovers(scene, distill, workspace)
        faults.injected("Parquet file damaged")

    each(work, ["raw.lines", "exports.sft"])


def test_notes_of_old_runs_are_lost(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    """Who asks for them is told, and for nothing else: runs and readers go on."""

    def work(distill: Distill, case: tuple[str, str]) -> None:
        table, way = case
        workspace = scene.copy(tmp_path / table)
        path = newest(folder_of(workspace, table), "*.parquet")
        WAYS[way](path, drawn(*case))
        asked = ("*", "count(*)", "count(*) filter (where run_id > 'a')")
        queries = [("sql", f"select {columns} from {table}") for columns in asked]
        for asking in (*queries, *([("receipts", "--run-id", scene.run_id)] if table == "ops.receipts" else [])):
            refused = clear(run_in(distill, workspace, *asking), path.name)
            assert refused.err.count("next: ") == 1 and "restore" not in refused.err
        assert contents(workspace) == scene.newest.tables
        recovers(scene, distill, workspace)
        with duckdb.connect(str(workspace.settings.warehouse / "distillery.duckdb"), read_only=True) as catalog:
            assert catalog.execute("select count(*) from evidence.records").fetchone() == (
                len(workspace.rows("evidence.records")),
            )
            with pytest.raises(duckdb.Error, match=table):
                catalog.execute(f"select count(*) from {table}").fetchall()
        faults.injected("Parquet file damaged")

    each(work, [("ops.receipts", "lost"), ("ops.runs", "truncated"), ("ops.drift", "emptied")])
