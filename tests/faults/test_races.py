"""One writer at a time, said clearly and at once; readers are never in its way, and it is never in theirs."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import LockedError
from tests.conftest import RECORDED_AT, Workspace
from tests.faults.record import Faults
from tests.faults.scene import LAND, RESTORE, VACUUM, Scene, recovers
from tests.support.forked import JOBS, RUNS, Distill, Done, Stop, borrowed, passed, run_in
from tests.support.killing import contents

RUN_ALL = ("run-all", "--recorded-at", RECORDED_AT.isoformat())
WRITERS = (*((name,) for name in RUNS), RESTORE, VACUUM)
PAIRS = ((RUN_ALL, RUN_ALL), (RUN_ALL, RESTORE), (RUN_ALL, VACUUM), (RUN_ALL, LAND), (RESTORE, VACUUM), (RESTORE, RESTORE))


@pytest.fixture
def holder() -> Iterator[Distill]:
    with borrowed() as distill:
        yield distill


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A published warehouse, and one more line."""
    workspace = Workspace(tmp_path_factory.mktemp("prepared"))
    workspace.write("outcomes.jsonl", [outcome(number) for number in range(3)])
    workspace.write("audits.jsonl", [audit("low"), audit("high")])
    with borrowed() as distill:
        passed(run_in(distill, workspace, *RUN_ALL))
    workspace.write("outcomes.jsonl", [outcome(3)])
    return workspace


@pytest.fixture
def published(tmp_path: Path, prepared: Workspace) -> Workspace:
    return prepared.copy(tmp_path / "first")


def outcome(number: int) -> dict[str, object]:
    return {
        "created_at": 1777777777 + number,
        "run_id": f"r{number}",
        "task": "t",
        "summary": f"s{number}",
        "all_events_ok": True,
    }


def audit(severity: str) -> dict[str, object]:
    return {"ts": 1777777777, "topic": "t", "phase": 1, "evidence": severity, "severity": severity}


@contextmanager
def at_work(holder: Distill, workspace: Workspace, step: str) -> Iterator["Future[Done]"]:
    """A run that has stopped just before one of its durable steps, and goes on afterwards."""
    folder = workspace.root / JOBS / str(id(holder))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_in, holder, workspace, *RUN_ALL, stop=Stop(do="wait", text=step))
        try:
            deadline = time.monotonic() + 60
            while not (folder / "waiting").exists() and not running.done() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert (folder / "waiting").exists(), running.result()
            yield running
        finally:
            (folder / "go").touch()


def count(workspace: Workspace) -> int:
    return int(workspace.warehouse.sql("select count(*) as n from evidence.records").to_pylist()[0]["n"])


@pytest.mark.parametrize("step", ["/scored/runs/", "/ops/snapshots/"], ids=["scoring", "publishing"])
def test_readers_see_the_published_state_while_a_run_is_at_work(
    holder: Distill, distill: Distill, published: Workspace, step: str, faults: Faults
) -> None:
    before = published.hashes()
    with at_work(holder, published, step) as running:
        assert published.hashes() == before
        assert count(published) == 5
        for arguments in (
            ("tables", "--json"),
            ("receipts", "--json"),
            ("health", "--json"),
            ("sql", "select 1", "--format", "json"),
        ):
            done = run_in(distill, published, *arguments)
            assert done.code == 0 and not done.err, done.text
            json.loads(done.out)
            faults.injected("reader beside a writer")
        assert not running.done()
    assert running.result().code == 0, running.result().text
    assert count(published) == 6


def test_a_reader_keeps_what_it_read_first(holder: Distill, published: Workspace, faults: Faults) -> None:
    """A handle from before the run reads the old versions by name for as long as it likes."""
    warehouse = published.warehouse
    run_id = warehouse.snapshot().run_id
    with at_work(holder, published, "/raw/lines/") as running:
        pass
    assert running.result().code == 0
    assert warehouse.sql("select count(*) as n from evidence.records", run_id).to_pylist() == [{"n": 5}]
    assert warehouse.sql("select count(*) as n from evidence.records").to_pylist() == [{"n": 6}]
    faults.injected("reader beside a writer")


def test_a_second_writer_is_refused_at_once(holder: Distill, distill: Distill, published: Workspace, faults: Faults) -> None:
    with at_work(holder, published, "/scored/runs/") as running:
        versions = published.versions()
        for command in WRITERS:
            done = run_in(distill, published, *command)
            assert (done.code, done.out, done.steps) == (3, "", []), done.text
            assert "locked by another distill command" in done.err
            assert str(published.settings.warehouse) in done.err and len(done.err.splitlines()) == 1
            assert not running.done()
            faults.injected("two writers at once")
        with pytest.raises(LockedError):
            published.run()
        assert published.versions() == versions
    assert running.result().code == 0, running.result().text
    assert run_in(distill, published, *RUN_ALL).code == 0


def test_the_lock_is_free_after_a_kill(holder: Distill, distill: Distill, published: Workspace, faults: Faults) -> None:
    done = run_in(holder, published, *RUN_ALL, stop=Stop(5))
    assert done.code == -signal.SIGKILL
    done = run_in(distill, published, *RUN_ALL)
    assert done.code == 0, done.text
    assert count(published) == 6
    faults.injected("run killed at a step")


def test_two_real_commands_at_once(published: Workspace, faults: Faults) -> None:
    """Whoever comes second is refused, or comes when the first is done; the warehouse is none the worse."""
    command = [sys.executable, "-m", "pipeline", *RUN_ALL]
    started = [
        subprocess.Popen(command, env=published.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in started]
    assert {code for *_, code in ended} <= {0, 3} and 0 in {code for *_, code in ended}, ended
    for _, err, code in ended:
        assert code == 0 or "locked by another distill command" in err
        assert "Traceback" not in err
    assert count(published) == 6
    assert [snapshot.snapshot for snapshot in published.warehouse.snapshots()] == list(
        range(1, 2 + [c for *_, c in ended].count(0))
    )
    faults.injected("two writers at once")


def test_whoever_comes_first(tmp_path: Path, scene: Scene, holder: Distill, distill: Distill, faults: Faults) -> None:
    """Two that write are let loose together: each does all of its work or is refused, and the next run has every line."""
    for number, pair in enumerate(PAIRS + PAIRS[1:3]):
        workspace = scene.copy(tmp_path / str(number))
        first, second = (holder, distill) if number < len(PAIRS) else (distill, holder)
        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(run_in, who, workspace, *what_) for who, what_ in zip((first, second), pair, strict=True)]
            ended = [one.result() for one in running]
        assert 0 in {done.code for done in ended}, ended
        for done in ended:
            # 2: a vacuum that came first may have left nothing to go back to.
            assert done.code == 0 or "locked by another distill command" in done.err or "was vacuumed" in done.err, done.text
            assert "Traceback" not in done.err
        assert scene.is_gated(workspace)
        recovers(scene, distill, workspace)
        faults.injected("two writers at once")


def test_readers_beside_runs_and_restores(
    tmp_path: Path, scene: Scene, holder: Distill, distill: Distill, faults: Faults
) -> None:
    """Each query sees one of the published states, whole, while they change under it."""
    workspace, states = scene.copy(tmp_path / "busy"), (scene.oldest.tables, scene.newest.tables, scene.all.tables)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: [passed(run_in(holder, workspace, *c)) for c in (RUN_ALL, RESTORE, RUN_ALL)])
        while not running.done():
            assert contents(workspace) in states
        running.result()
    recovers(scene, distill, workspace)
    for _ in range(3):
        faults.injected("reader beside a writer")


def test_other_warehouses_are_not_locked(tmp_path: Path, holder: Distill, distill: Distill, published: Workspace) -> None:
    second = published.copy(tmp_path / "second")
    with at_work(holder, published, "/scored/runs/"):
        done = run_in(distill, second, *RUN_ALL)
        assert done.code == 0, done.text


def test_killed_by_the_keyboard(published: Workspace, faults: Faults) -> None:
    """Ctrl-C ends a run without a traceback and publishes nothing; the next run goes on."""
    log = published.settings.warehouse / "raw/lines/_delta_log"
    before = set(log.iterdir())
    command = [sys.executable, "-m", "pipeline", *RUN_ALL]
    with subprocess.Popen(
        command, env=published.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while set(log.iterdir()) == before and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0 and "Traceback" not in err, err
    assert count(published) == 5
    published.passed()
    assert count(published) == 6
    faults.injected("run killed at a random time")
