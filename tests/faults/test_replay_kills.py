"""A replay that is killed at any step: rows and lines agree again after the next one, and all of them land once."""

import signal
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.faults.record import Faults
from tests.replay.scene import BAD, TASK, logged, publish
from tests.replay.stub import serving
from tests.support.forked import Distill, Done, Stop, borrowed, each, run_in

KILLED = "replay killed at a step"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("evidence"))


def asked(distill: Distill, workspace: Workspace, url: str, stop: Stop | None = None) -> Done:
    return run_in(distill, workspace, "replay", "--task", TASK, "--model", "m", "--base-url", url, stop=stop)


def test_killed_before_and_after_every_step(evidence: Path, tmp_path: Path, faults: Faults) -> None:
    def work(distill: Distill, stop: Stop) -> None:
        workspace = Workspace(evidence).copy(tmp_path / f"{stop.number} {stop.after}")
        assert asked(distill, workspace, stub.url, stop).code == -signal.SIGKILL
        rows = {(row["replay_id"], row["attempt"]) for row in workspace.rows("replay.runs")}
        assert asked(distill, workspace, stub.url).code == 1
        later = {(row["replay_id"], row["attempt"]) for row in workspace.rows("replay.runs")}
        lines = [(line["replay_id"], line["attempt"]) for line in logged(workspace)]
        assert rows < later and len(later) == len(rows) + 1
        assert sorted(lines) == sorted(later)
        workspace.passed()
        landed = [row["run_id"] for row in workspace.rows("evidence.records") if row["source"] == "replay_runs"]
        assert sorted(landed) == sorted(f"{replay_id}/{attempt}" for replay_id, attempt in later)
        assert workspace.files() == Workspace(evidence).files()
        faults.injected(KILLED)

    with serving(BAD) as stub:
        with borrowed() as distill:
            whole = asked(distill, Workspace(evidence).copy(tmp_path / "whole"), stub.url)
        assert whole.code == 1 and any("replay/runs" in step for step in whole.steps), whole.text
        each(work, [Stop(number, after) for number in range(1, len(whole.steps) + 1) for after in (False, True)])


def test_killed_again_and_again_between_rows_and_lines(evidence: Path, tmp_path: Path, faults: Faults) -> None:
    workspace = Workspace(evidence).copy(tmp_path / "here")
    with serving(BAD) as stub, borrowed() as distill:
        for _ in range(3):
            done = asked(distill, workspace, stub.url, Stop(after=True, text="replay/runs"))
            assert done.code == -signal.SIGKILL, done.text
        assert logged(workspace) == [] and len(workspace.rows("replay.runs")) == 3
        assert asked(distill, workspace, stub.url).code == 1
    rows = sorted(workspace.rows("replay.runs"), key=lambda row: row["created_at"])
    assert [line["replay_id"] for line in logged(workspace)] == [row["replay_id"] for row in rows] and len(rows) == 4
    workspace.passed()
    assert sum(row["source"] == "replay_runs" for row in workspace.rows("evidence.records")) == 4
    assert workspace.files() == Workspace(evidence).files()
    for _ in range(3):
        faults.injected(KILLED)
