"""kill -9 while small files are put together: readers see what was published, and the next run completes the work."""

import shutil
import signal
from pathlib import Path

import pytest

from pipeline.query.health import examine
from pipeline.upkeep import compaction
from tests.conftest import Workspace
from tests.faults.record import Faults
from tests.support.forked import Distill, Stop, borrowed, each, passed, run_in
from tests.support.killing import RUN_ALL
from tests.support.rows import review
from tests.support.states import state_of

STREAM = "observer_reviews.jsonl"


@pytest.fixture(scope="module")
def due(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A warehouse in which the next run puts the files of most tables together."""
    workspace = Workspace(tmp_path_factory.mktemp("due"))
    for number in range(compaction.MANY - 1):
        workspace.write(STREAM, [review(f"t{number}", ("accept", "reject")[number % 2], f"Verify {number}", number)])
        workspace.passed()
    workspace.write(STREAM, [review("new", "accept", "Verify new", 59)])
    return workspace


def test_killed_while_files_are_put_together(tmp_path: Path, due: Workspace, faults: Faults) -> None:
    before, whole = state_of(due), due.copy(tmp_path / "whole")
    with borrowed() as distill:
        steps = passed(run_in(distill, whole, *RUN_ALL, stop=Stop(do="watch"))).steps
    steps = [step for step in steps if not step.startswith("tree ")]
    after = state_of(whole)
    first = next(number for number, step in enumerate(steps, 1) if step.startswith("compact"))
    last = next(number for number, step in enumerate(steps, 1) if "/ops/receipts/" in step and step.startswith("write"))
    assert last - first > 8
    stops = [Stop(number, after=False) for number in range(first, last + 1)] + [Stop(last - 1, after=True)]

    def work(distill: Distill, stop: Stop) -> None:
        workspace = due.copy(tmp_path / f"{stop.number}-{stop.after}")
        assert run_in(distill, workspace, *RUN_ALL, stop=stop).code == -signal.SIGKILL
        assert state_of(workspace).same(before)
        passed(run_in(distill, workspace, *RUN_ALL))
        assert state_of(workspace, landed=False).same(state_of(whole, landed=False)), steps[stop.number - 1]
        assert state_of(workspace).files == after.files
        assert not examine(workspace.settings.warehouse, workspace.settings.exports).broken
        shutil.rmtree(workspace.root)
        faults.injected("run killed at a step")

    each(work, stops)
