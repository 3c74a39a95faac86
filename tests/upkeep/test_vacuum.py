"""Vacuum: what is kept stays to the bit, also under a reader; what goes is said, and nothing else goes."""

import json
import multiprocessing
import re
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.query.comparing import difference
from pipeline.reader import Warehouse
from pipeline.settings import Gates
from pipeline.store import readers
from pipeline.upkeep import vacuuming
from pipeline.upkeep.vacuuming import Vacuumed, vacuum
from tests.conftest import Silent, Workspace, statuses
from tests.support.forked import Stop, borrowed, passed, refused, run_in
from tests.support.rows import review
from tests.support.states import (
    STREAM,
    History,
    all_files,
    last_settings,
    new_files,
    put_back,
    reader,
    rows_of,
    state_of,
)
from tests.upkeep.test_restore import audited, released


@pytest.fixture
def workspace(history: History, tmp_path: Path) -> Workspace:
    return history.copy(tmp_path)


def vacuumed(workspace: Workspace, keep_runs: int = 1, keep_days: float = 0, **options: Any) -> Vacuumed:
    return vacuum(workspace.settings, keep_runs, keep_days, Silent(), **options)


def kept(done: Vacuumed) -> list[int]:
    return [snapshot.snapshot for snapshot in done.kept]


def parquet(workspace: Workspace) -> set[Path]:
    tables = workspace.settings.warehouse.glob("[!o]*/*/*.parquet")  # all but those of ops
    return {path for path in tables if path.parent.parent.name != "ops"}


def index_files(workspace: Workspace) -> set[Path]:
    return {path for path in (workspace.settings.warehouse / "index").rglob("*") if path.is_file()}


def comes_back(workspace: Workspace, history: History, numbers: tuple[int, ...]) -> None:
    for number in numbers:
        put_back(workspace, history.run_id(number))
        assert state_of(workspace).same(history.states[number - 1]), number


def test_what_is_kept(workspace: Workspace, history: History) -> None:
    """The newest, the young, the last good one, releases; all of them come back to the bit, the others are refused."""
    assert kept(vacuumed(workspace, 2, dry_run=True)) == [4, 5]
    assert kept(vacuumed(workspace, 1, 7, dry_run=True)) == [1, 2, 3, 4, 5]
    audited(workspace, 5, passed=False)
    assert kept(vacuumed(workspace, dry_run=True)) == [4, 5]
    released(workspace, "v1", 2)
    before, indexed = parquet(workspace), index_files(workspace)
    done = vacuumed(workspace)
    assert (kept(done), [s.snapshot for s in done.dropped]) == ([2, 4, 5], [1, 3])
    assert done.reasons == {
        history.run_id(2): ("release v1",),
        history.run_id(4): ("last good",),
        history.run_id(5): ("newest 1",),
    }
    gone = len(before - parquet(workspace)) + len(indexed - index_files(workspace))
    assert gone == done.files > 0 and not parquet(workspace) - before
    comes_back(workspace, history, (4, 2, 5))
    with borrowed() as distill:
        for number in (1, 3):
            for command in (
                ("restore", "--to", history.run_id(number)),
                ("sql", "select 1", "--as-of", history.run_id(number)),
            ):
                refused(run_in(distill, workspace, *command), 2, history.run_id(number), "was vacuumed", history.run_id(2))
        assert "vacuumed" in passed(run_in(distill, workspace, "history")).out


def test_each_state_is_kept_for_all_of_its_reasons(workspace: Workspace, history: History) -> None:
    """What either option keeps is kept, and somebody may read it."""
    asking = workspace.warehouse
    with borrowed() as distill, asking.opened() as engine:
        asking.find(engine, "3 runs ago")
        done = vacuumed(workspace, 2, 0.5, dry_run=True)
        both = ("newest 2", "younger than 0.5 days")
        assert done.reasons[history.run_id(4)] == both
        assert done.reasons[history.run_id(5)][:3] == (*both, "last good")
        assert done.reasons[history.run_id(1)] == ("younger than 0.5 days",)
        said = passed(run_in(distill, workspace, "vacuum", "--keep-runs", "2", "--keep-days", "0.5", "--dry-run")).out
        for run_id, reasons in done.reasons.items():
            assert re.search(rf"{run_id} +{', '.join(reasons)}", said)
        assert done.reasons[history.run_id(2)] == ("younger than 0.5 days", "being read")


@pytest.mark.parametrize("days", ["nan", "inf", "-inf", "-1", "1e308", "36501", "x", ""])
def test_days_that_are_none(workspace: Workspace, days: str) -> None:
    before = all_files(workspace.settings.warehouse)
    with borrowed() as distill:
        refused(run_in(distill, workspace, "vacuum", f"--keep-days={days}"), 2, "--keep-days")
    assert all_files(workspace.settings.warehouse) == before


def test_a_dry_run_says_the_same_and_removes_nothing(workspace: Workspace) -> None:
    with borrowed() as distill:
        before = all_files(workspace.root / "warehouse"), all_files(workspace.root / "exports")
        options = ("vacuum", "--keep-runs", "1", "--keep-days", "0", "--json")
        said = json.loads(passed(run_in(distill, workspace, *options, "--dry-run")).out)
        assert (all_files(workspace.root / "warehouse"), all_files(workspace.root / "exports")) == before
        did = json.loads(passed(run_in(distill, workspace, *options)).out)
        gone = {name: held for name, held in before[0].items() if not (workspace.settings.warehouse / name).exists()}
        assert said == did | {"dry_run": True}
        assert (did["files"], did["bytes"]) == (len(gone), sum(len(content) for content, _ in gone.values()))
        assert all(
            name.startswith(("index/", "lists/")) or (name.endswith(".parquet") and not name.startswith("ops/"))
            for name in gone
        )
        again = json.loads(passed(run_in(distill, workspace, *options)).out)
        assert (again["files"], again["bytes"], again["dropped"]) == (0, 0, [])


def test_a_run_goes_on_from_what_is_left(workspace: Workspace, history: History, second: Workspace) -> None:
    """Incrementally, and it comes out like a warehouse that is new."""
    vacuumed(workspace)
    before = {path: path.stat().st_mtime_ns for path in parquet(workspace)}
    workspace.write(STREAM, rows_of(40, 42))
    workspace.passed(**last_settings(workspace))
    for name in (STREAM, "tickets.jsonl"):
        second.write(name, (workspace.data / name).read_bytes().split(b"\n")[:-1])
    second.passed(**last_settings(workspace))
    assert state_of(workspace, landed=False).same(state_of(second, landed=False))
    assert before.items() <= {path: path.stat().st_mtime_ns for path in parquet(workspace)}.items()
    assert {Path(f) for f in reader(workspace.settings.warehouse).store.read("evidence.records").files} & before.keys()


def test_after_a_restore(workspace: Workspace, history: History) -> None:
    """An old state that counts again is kept, and what it undid goes; then the later lines land again."""
    put_back(workspace, history.run_id(2))
    assert kept(vacuumed(workspace)) == [6]
    assert state_of(workspace).same(history.states[1])
    workspace.passed(**last_settings(workspace))
    assert state_of(workspace, landed=False).hashes.items() <= history.states[-1].hashes.items()


def test_parts_of_a_table_are_not_compared_with_what_is_gone(tmp_path: Path) -> None:
    """Rows that left the quarantine of one corpus, so that its part was written anew after those of others were hashed."""
    workspace, lenient = Workspace(tmp_path / "parts"), Gates(include_partial=True, include_review=True)
    workspace.write(STREAM, [review(f"t{n}", ("accept", "reject", "cycle", "")[n % 4], f"Verify {n}", n) for n in range(12)])
    before = workspace.passed()
    after = workspace.passed(gates=lenient)
    assert before.summary["total_quarantined"] > after.summary["total_quarantined"]
    vacuumed(workspace)
    assert set(statuses(workspace.passed(gates=lenient)).values()) == {"unchanged"}


def test_what_killed_runs_left(workspace: Workspace, history: History) -> None:
    """Parquet files that no version ever named go; everything outside of tables stays, and so does what is no Parquet."""
    orphan = workspace.settings.warehouse / "evidence/records/part-of-a-killed-run.parquet"
    shutil.copy(new_files(workspace, "evidence.records", history.run_id(5), history.run_id(1))[0], orphan)
    foreign = [
        workspace.settings.warehouse / name
        for name in ("mine.parquet", "evidence/mine.parquet", "evidence/records/notes.txt", "ops/receipts/mine.parquet")
    ] + [workspace.root / "exports/rag/mine.parquet"]
    for path in foreign:
        path.write_bytes(b"mine")
    done = vacuumed(workspace, keep_runs=9)
    assert (done.files, done.dropped, orphan.exists()) == (1, (), False)
    assert all(path.read_bytes() == b"mine" for path in foreign)
    foreign[-1].unlink()
    comes_back(workspace, history, (1, 5))


def test_killed_between_the_record_and_the_files(workspace: Workspace, history: History) -> None:
    with borrowed() as distill:
        options = ("vacuum", "--keep-runs", "1", "--keep-days", "0")
        expected = vacuumed(workspace, dry_run=True)
        done = run_in(distill, workspace, *options, stop=Stop(text="/ops/vacuums/", after=True))
        assert done.code == -signal.SIGKILL, done.text
        refused(run_in(distill, workspace, "restore", "--to", history.run_id(1)), 2, "was vacuumed")
        finished = vacuumed(workspace)
        assert (finished.files, finished.bytes, kept(finished)) == (expected.files, expected.bytes, [5])
    comes_back(workspace, history, (5,))


def _reads(folder: Path, as_of: str, ready: Any, go: Any, answers: Any) -> None:
    warehouse = Warehouse(folder)
    with warehouse.opened() as engine:
        snapshot = warehouse.find(engine, as_of)
        engine.bind(
            "evidence.records", warehouse.files("evidence.records", snapshot), warehouse.store.tables["evidence.records"].schema
        )
        ready.set()
        go.wait(60)
        answers.put(engine.value("select count(*) as n from evidence.records"))


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_a_reader_keeps_its_state(workspace: Workspace, history: History, kind: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready, go, answers = context.Event(), context.Event(), context.Queue()
    arguments = (workspace.settings.warehouse, history.run_id(2), ready, go, answers)
    worker: Any = (
        context.Process(target=_reads, args=arguments) if kind == "process" else threading.Thread(target=_reads, args=arguments)
    )
    worker.start()
    assert ready.wait(60)
    assert kept(vacuumed(workspace)) == [2, 5]
    go.set()
    assert answers.get(timeout=60) == len(history.states[1].rows["evidence.records"])
    worker.join(60)
    assert kept(vacuumed(workspace)) == [5]
    assert not list((workspace.settings.warehouse / readers.FOLDER).iterdir())


def test_a_dead_reader_is_forgotten(workspace: Workspace, history: History) -> None:
    context = multiprocessing.get_context("spawn")
    ready, go, answers = context.Event(), context.Event(), context.Queue()
    worker = context.Process(target=_reads, args=(workspace.settings.warehouse, history.run_id(2), ready, go, answers))
    worker.start()
    assert ready.wait(60)
    worker.kill()
    worker.join()
    assert list((workspace.settings.warehouse / readers.FOLDER).iterdir())
    assert kept(vacuumed(workspace)) == [5]
    assert not list((workspace.settings.warehouse / readers.FOLDER).iterdir())


def test_a_reader_of_two_states_keeps_both(workspace: Workspace, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a diff does, and as two threads with one Warehouse do."""
    warehouse = Warehouse(workspace.settings.warehouse)
    with warehouse.opened() as one, warehouse.opened() as two:
        warehouse.find(two, history.run_id(1))
        warehouse.find(one, history.run_id(2))
        warehouse.find(one, history.run_id(3))
        assert kept(vacuumed(workspace, dry_run=True)) == [1, 2, 3, 5]
    assert kept(vacuumed(workspace, dry_run=True)) == [5]


def test_a_reader_that_comes_between_the_look_and_the_record(
    workspace: Workspace, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not seen when the states were chosen: its files stay until the next vacuum."""
    warehouse, write = Warehouse(workspace.settings.warehouse), vacuuming._write
    with warehouse.opened() as engine:
        readers_files: list[str] = []

        def late(*arguments: Any) -> None:
            readers_files.extend(warehouse.files("raw.lines", warehouse.find(engine, history.run_id(2))))
            write(*arguments)

        warehouse._readings[id(engine)].holds(5)
        monkeypatch.setattr(vacuuming, "_write", late)
        assert kept(vacuumed(workspace)) == [5]
        assert readers_files and all(Path(name).exists() for name in readers_files)
        with pytest.raises(UsageError, match="was vacuumed"):
            warehouse.find(engine, history.run_id(2))
    monkeypatch.undo()
    assert vacuumed(workspace).files > 0
    assert kept(vacuumed(workspace)) == [5]


def test_readers_come_and_go(workspace: Workspace, history: History) -> None:
    """Every query of an old state is answered right, or told that the state is gone; none fails half-way."""
    expected = len(history.states[2].rows["evidence.records"])
    stop = threading.Event()

    def reads() -> list[Any]:
        warehouse, seen = Warehouse(workspace.settings.warehouse), []
        while not stop.is_set():
            try:
                seen.append(difference(warehouse, "scored.runs", history.run_id(3), "latest", 1).before.snapshot)
                seen.append(warehouse.sql("select count(*) as n from evidence.records", history.run_id(3)).to_pylist()[0]["n"])
            except UsageError as error:
                return [*seen, str(error)]
        return seen

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(reads) for _ in range(2)]
        try:
            for _ in range(6):
                vacuumed(workspace)
        finally:
            stop.set()
        for one in running:
            *seen, last = one.result()
            assert set(seen) <= {3, expected}
            assert last in (3, expected) or "was vacuumed" in last
