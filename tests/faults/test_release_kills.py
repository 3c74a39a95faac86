"""kill -9 around the commit of a release, and two at once: a release is whole or not there, and there is one of a name."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.reports.receipts import validated
from tests.conftest import Workspace
from tests.faults.record import Faults
from tests.support.forked import JOBS, Stop, borrowed, passed, refused, run_in
from tests.support.repositories import PASSING, entered, make_repository
from tests.support.states import STREAM, rows_of, state_of

FREEZE = ("release-freeze", "v1", "--tests", PASSING)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("published"))


@pytest.fixture
def ready(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    return entered(published, tmp_path, monkeypatch)


def test_killed_and_typed_again(ready: Workspace, faults: Faults) -> None:
    before = state_of(ready)
    with borrowed() as distill:
        done = run_in(distill, ready, *FREEZE, stop=Stop(text="/ops/releases/"))
        assert done.code == -signal.SIGKILL, done.text
        assert ready.rows("ops.releases") == [] and state_of(ready) == before
        assert not (ready.settings.reports / "release-manifest.json").exists()
        done = run_in(distill, ready, *FREEZE, stop=Stop(text="/ops/releases/", after=True))
        assert done.code == -signal.SIGKILL, done.text
        (row,) = ready.rows("ops.releases")
        assert validated("release_manifest.v1", json.loads(row["manifest"]))["frozen"] is True
        again = run_in(distill, ready, *FREEZE)
        assert again.code == 1 and "v1 is already the release of snapshot 1" in again.out, again.text
        ready.write(STREAM, rows_of(12, 20))
        ready.passed()
        passed(run_in(distill, ready, "restore", "--to", "v1"))
    assert state_of(ready).same(before) and len(ready.rows("ops.audit_baselines")) == 2
    for _ in range(2):
        faults.injected("release killed at a step")


def test_two_at_once(ready: Workspace, faults: Faults) -> None:
    with borrowed() as one, borrowed() as two, ThreadPoolExecutor(1) as pool:
        folder = ready.root / JOBS / str(id(one))
        stop = Stop(do="wait", text="/ops/releases/")
        running = pool.submit(run_in, one, ready, *FREEZE, "--json", stop=stop)
        while not (folder / "waiting").exists():
            assert not running.done(), running.result().text
        refused(run_in(two, ready, *FREEZE), 3, "is locked by another distill command")
        assert ready.rows("ops.releases") == []
        (folder / "go").touch()
        document = json.loads(passed(running.result()).out)
        assert document["frozen"] and document["git_tag"].startswith("git tag -a v1")
        late = run_in(two, ready, *FREEZE)
        assert late.code == 1 and "not frozen" in late.out and not late.err, late.text
        assert "release v1" in passed(run_in(two, ready, "health")).out
    assert [row["name"] for row in ready.rows("ops.releases")] == ["v1"]
    faults.injected("two writers at once")
