"""Restore: every published state comes back, whole and to the byte, whatever was published, restored or run in between."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipeline.errors import GateError, UsageError
from pipeline.models.tables import load
from pipeline.store.delta import DeltaStore, locked
from pipeline.store.snapshots import resolve
from tests.conftest import Workspace, statuses
from tests.support.forked import JOBS, Stop, borrowed, passed, refused, run_in
from tests.support.rows import review
from tests.support.states import STREAM, History, all_files, last_settings, put_back, reader, rows_of, state_of


@pytest.fixture
def workspace(history: History, tmp_path: Path) -> Workspace:
    return history.copy(tmp_path)


def append(workspace: Workspace, table: str, row: dict[str, Any]) -> None:
    """Adds a row to a table of ops, filled up with whatever is allowed."""
    store = DeltaStore(workspace.settings.warehouse, load(workspace.settings.sql_folders()))
    filled = {field.name: _anything(field.type) for field in store.tables[table].schema} | row
    said = {"run_id": row["audit_id"]} if "audit_id" in row else {}
    store.append(table, pa.Table.from_pylist([filled], schema=store.tables[table].schema), said)


def _anything(kind: pa.DataType) -> Any:
    return datetime.now(UTC) if pa.types.is_timestamp(kind) else False if pa.types.is_boolean(kind) else pa.scalar(0).cast(kind)


def audited(workspace: Workspace, snapshot: int, *, passed: bool) -> None:
    """Adds the row of an audit, by a clock that goes backwards."""
    so_far = workspace.warehouse.store.version("ops.audit_baselines")
    at = datetime.now(UTC) - timedelta(hours=so_far)
    row = {"audit_id": f"audit-{9 - so_far}", "snapshot": snapshot, "passed": passed, "audited_at": at}
    append(workspace, "ops.audit_baselines", row)


def released(workspace: Workspace, name: str, snapshot: int) -> None:
    append(workspace, "ops.releases", {"name": name, "snapshot": snapshot})


def catalog_rows(workspace: Workspace, table: str) -> int:
    with duckdb.connect(str(workspace.settings.warehouse / "distillery.duckdb"), read_only=True) as connection:
        found = connection.execute(f"select count(*) from {table}").fetchone()
        assert found is not None
        return int(found[0])


def test_the_five_states_differ(history: History) -> None:
    for table in ("raw.lines", "evidence.records", "scored.runs", "exports.rag", "exports.sft"):
        assert len({state.hashes[table] for state in history.states}) >= 3, table
    assert len({tuple(state.files.values()) for state in history.states}) == 5


@pytest.mark.parametrize("order", [(1, 5, 3), (4, 2, 2, 1)], ids=str)
def test_every_state_comes_back(workspace: Workspace, history: History, order: tuple[int, ...]) -> None:
    for number in order:
        before = reader(workspace.settings.warehouse).snapshot()
        done = put_back(workspace, history.run_id(number))
        assert state_of(workspace).same(history.states[number - 1]), number
        snapshot = reader(workspace.settings.warehouse).snapshot()
        assert (snapshot.snapshot, snapshot.kind) == (before.snapshot + 1, "restore")
        assert snapshot.restored_run_id == history.run_id(number)
        assert snapshot.undone_run_ids == done.undone and len(done.undone) == before.snapshot - number
        for table in ("raw.lines", "scored.runs", "exports.quarantine"):
            assert catalog_rows(workspace, table) == len(history.states[number - 1].rows[table])
    for other in history.states:  # and none of the others went
        assert state_of(workspace, other.run_id).rows == other.rows


@pytest.mark.parametrize("number", [1, 4])
def test_the_next_run_lands_what_came_later_again(
    workspace: Workspace, history: History, second: Workspace, number: int
) -> None:
    """It comes out like a warehouse that never was restored, to the byte; and can be taken back again."""
    put_back(workspace, history.run_id(number))
    workspace.passed(**last_settings(workspace))
    after, never = state_of(workspace, landed=False), history.states[-1]
    assert after.files == never.files
    assert never.hashes.items() >= after.hashes.items()
    put_back(workspace, history.run_id(3))
    assert state_of(workspace).same(history.states[2])
    workspace.write(STREAM, rows_of(40, 44))
    workspace.passed(**last_settings(workspace))
    second.write(STREAM, (workspace.data / STREAM).read_bytes().split(b"\n")[:-1])
    second.write("tickets.jsonl", (workspace.data / "tickets.jsonl").read_bytes().split(b"\n")[:-1])
    second.passed(**last_settings(workspace))
    assert state_of(workspace, landed=False).same(state_of(second, landed=False))


def test_a_run_on_what_was_restored_has_nothing_to_do(workspace: Workspace, history: History) -> None:
    put_back(workspace, "1 run ago")
    put_back(workspace, history.run_id(5))
    assert set(statuses(workspace.passed(**last_settings(workspace))).values()) == {"unchanged"}
    assert state_of(workspace).same(history.states[-1])


def test_a_restore_is_undone_by_a_restore(workspace: Workspace, history: History) -> None:
    put_back(workspace, history.run_id(2))
    done = put_back(workspace, "1 run ago")
    assert state_of(workspace).same(history.states[-1])
    assert done.undone == (workspace.warehouse.snapshots()[-2].run_id,)
    put_back(workspace, "1 run ago")
    assert state_of(workspace).same(history.states[1])
    assert workspace.warehouse.snapshot().restored_run_id == history.run_id(2)


def test_what_a_state_is_called(workspace: Workspace, history: History) -> None:
    def meant(to: str) -> str:
        return put_back(workspace, to, dry_run=True).target.run_id

    published = workspace.warehouse.snapshots()
    assert meant("last-good") == history.run_id(5)
    audited(workspace, 5, passed=False)
    audited(workspace, 4, passed=True)
    assert meant("last-good") == history.run_id(4)
    audited(workspace, 4, passed=False)
    assert meant("last-good") == history.run_id(3), "the newest audit of a state counts"
    released(workspace, "v1", 2)
    assert (meant("v1"), meant("0 runs ago"), meant("4 runs ago")) == (history.run_id(2), history.run_id(5), history.run_id(1))
    assert meant(published[2].published_at.isoformat()) == history.run_id(3)
    assert meant((published[2].published_at - timedelta(microseconds=1)).isoformat()) == history.run_id(2)
    for unknown in ("v2", "5 runs ago", "-1 runs ago", "1999-01-01", "", "last-bad"):
        with pytest.raises(UsageError, match="names no published run"):
            meant(unknown)
    put_back(workspace, history.run_id(4))
    assert meant("last-good") == history.run_id(3), "what was put back is as bad as it was"


def test_a_name_that_is_two(workspace: Workspace, history: History) -> None:
    """A time with an offset, and one that is no time at all."""
    published = workspace.warehouse.snapshots()
    moment = published[1].published_at + timedelta(hours=2)
    assert resolve(published, moment.isoformat().replace("+00:00", "+02:00")).snapshot == 2
    for text in ("2026-99-99", "9" * 30, "1 run  ago", "last-good\n"):
        with pytest.raises(UsageError):
            resolve(published, text)


def test_the_command(workspace: Workspace, history: History) -> None:
    """Exit codes, what is printed, and a dry run that writes nothing and says what a restore then does."""
    with borrowed() as distill:
        refused(run_in(distill, workspace, "restore", "--to", "nothing"), 2, "'nothing' names no published run")
        before = all_files(workspace.root / "warehouse"), all_files(workspace.root / "exports")
        dry = passed(run_in(distill, workspace, "restore", "--to", history.run_id(2), "--dry-run", "--json"))
        text = passed(run_in(distill, workspace, "restore", "--to", history.run_id(2), "--dry-run"))
        assert f"this would put back run {history.run_id(2)} and undo 3 published states" in text.out
        assert (all_files(workspace.root / "warehouse"), all_files(workspace.root / "exports")) == before
        said = json.loads(dry.out)
        assert (said["snapshot"], said["dry_run"]) == (None, True)
        with locked(workspace.settings.warehouse):
            refused(run_in(distill, workspace, "restore", "--to", "last-good"), 3, "is locked by another distill command")
        did = json.loads(passed(run_in(distill, workspace, "restore", "--to", history.run_id(2), "--json")).out)
        assert did == said | {"snapshot": 6, "dry_run": False}
        assert {step["name"]: step["after"] for step in did["steps"] if step["changes"]}.keys() >= {"raw.lines", "scored.runs"}
        again = passed(run_in(distill, workspace, "restore", "--to", "latest"))
        assert "no table and no file differs" in again.out
    assert state_of(workspace).same(history.states[1])


def test_no_warehouse(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with borrowed() as distill:
        refused(run_in(distill, workspace, "restore", "--to", "latest"), 3, "there is no warehouse here")
        assert not workspace.settings.warehouse.exists()
        workspace.settings.warehouse.mkdir()
        refused(run_in(distill, workspace, "restore", "--to", "latest"), 2, "nothing was published here yet")


def test_files_that_somebody_edited(workspace: Workspace, history: History) -> None:
    """Also for the state that is there already: restore is how they are brought back."""
    exports = workspace.settings.exports
    (exports / "rag/playbooks.jsonl").unlink()
    (exports / "sft/instruction_response.jsonl").write_bytes(b'{"by": "hand"}\n')
    changed = {step.name for step in put_back(workspace, "latest", dry_run=True).steps if step.changes}
    assert changed == {"rag/playbooks.jsonl", "sft/instruction_response.jsonl"}
    put_back(workspace, "latest")
    assert state_of(workspace).same(history.states[-1])
    for path in exports.rglob("*.jsonl"):
        path.write_bytes(path.read_bytes()[:-2])
    put_back(workspace, history.run_id(3))
    assert state_of(workspace).same(history.states[2])


def test_a_state_of_before_the_first_export(tmp_path: Path) -> None:
    """It has no files; so they go, and come again."""
    workspace = Workspace(tmp_path)
    workspace.write(STREAM, rows_of(0, 8))
    workspace.passed("land")
    first = state_of(workspace)
    workspace.passed()
    second = state_of(workspace)
    corpora = {name for name in second.files if name.endswith(".jsonl")}
    assert first.files == {} and len(corpora) == 3
    done = put_back(workspace, "1 run ago")
    assert state_of(workspace).same(first)
    assert {step.name for step in done.steps if step.changes} >= {*corpora, "playbooks/SHA256SUMS"}
    put_back(workspace, "1 run ago")
    assert state_of(workspace).same(second)


def test_lines_that_landed_without_being_published(workspace: Workspace, history: History) -> None:
    """A failed run leaves its lines; a restore takes them back, and the next run lands them once."""
    workspace.write(STREAM, [b"{broken again", *rows_of(50, 53)])
    assert isinstance(workspace.run(**last_settings(workspace), strict=True).failure, GateError)
    put_back(workspace, history.run_id(2))
    assert state_of(workspace).same(history.states[1])
    workspace.passed(**last_settings(workspace))
    lines = workspace.rows("raw.lines")
    places = {(row["source_file"], row["line_offset"], row["generation"]) for row in lines}
    written = sum(len(path.read_bytes().splitlines()) for path in workspace.data.iterdir())
    assert len(lines) == len(places) == written


def test_a_rewritten_file(tmp_path: Path) -> None:
    """Back to before it was rewritten, and the rewritten file is refused again, until it is accepted again."""
    workspace = Workspace(tmp_path)
    path = workspace.write(STREAM, [review("t1", "accept", "old"), review("t2", "accept", "older")])
    workspace.passed()
    first = state_of(workspace)
    path.unlink()
    workspace.write(STREAM, [review("t1", "accept", "new")])
    workspace.passed(accept_rewrite=True)
    rewritten = state_of(workspace, landed=False)
    put_back(workspace, "1 run ago")
    assert state_of(workspace).same(first)
    failure = workspace.run().failure
    assert failure is not None and "--accept-rewrite" in str(failure)
    workspace.passed(accept_rewrite=True)
    assert state_of(workspace, landed=False).same(rewritten)


def test_readers_see_one_state_or_the_other(workspace: Workspace, history: History) -> None:
    """While a restore is at work, at its end, and of any state."""
    old, newest = history.states[1], history.states[-1]
    with borrowed() as distill, ThreadPoolExecutor(1) as pool:
        folder = workspace.root / JOBS / str(id(distill))
        stop = Stop(do="wait", text="/ops/snapshots/")
        running = pool.submit(run_in, distill, workspace, "restore", "--to", old.run_id, stop=stop)
        while not (folder / "waiting").exists():
            assert not running.done(), running.result().text
        assert state_of(workspace) == newest
        assert state_of(workspace, old.run_id) == replace(old, files=newest.files)
        (folder / "go").touch()
        passed(running.result())
    assert state_of(workspace).same(old)
    assert state_of(workspace, newest.run_id) == replace(newest, files=old.files)
