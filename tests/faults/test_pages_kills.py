"""kill -9 while pages are moved: the next command leaves the folder as it was or as it was to be."""

import signal
from pathlib import Path

import pytest

from pipeline.upkeep.restoring import restore
from tests.conftest import Silent, Workspace
from tests.faults.record import Faults
from tests.support.forked import Distill, Stop, borrowed, each, passed, run_in
from tests.support.killing import RUN_ALL
from tests.support.rows import review

STREAM = "observer_reviews.jsonl"


def page_files(workspace: Workspace) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (workspace.settings.exports / "playbooks").iterdir()}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two states, the first with a page that the second lacks and the other way round, and the second with one that changed."""
    workspace = Workspace(tmp_path_factory.mktemp("ready"))
    workspace.write(STREAM, [review("a", "accept", "Verify a"), review("b", "accept", "Verify b"), review("c", "accept", "x")])
    workspace.passed()
    (workspace.data / STREAM).write_bytes(b"")
    workspace.write(STREAM, [review("b", "accept", "Verify more"), review("c", "accept", "x"), review("d", "accept", "y")])
    return workspace


def moves(steps: list[str]) -> list[int]:
    """Returns the numbers of the steps that change something among the pages in place, and of the one after them."""
    found = [n for n, step in enumerate(steps, 1) if "/playbooks/" in step and step.startswith(("replace", "unlink"))]
    return [n for n in found if "probe" not in steps[n - 1] and "playbooks.new" not in steps[n - 1]]


def test_killed_while_pages_are_moved(tmp_path: Path, ready: Workspace, faults: Faults) -> None:
    before, arguments = page_files(ready), (*RUN_ALL, "--accept-rewrite")
    after = ready.copy(tmp_path / "after")
    with borrowed() as distill:
        steps = passed(run_in(distill, after, *arguments, stop=Stop(do="watch"))).steps
    steps = [step for step in steps if not step.startswith("tree ")]
    expected, numbers = page_files(after), moves(steps)
    assert before.keys() - expected.keys() and expected.keys() - before.keys() and len(numbers) > 4

    def work(distill: Distill, number: int) -> None:
        workspace = ready.copy(tmp_path / str(number))
        assert run_in(distill, workspace, *arguments, stop=Stop(number)).code == -signal.SIGKILL
        oldest = workspace.warehouse.snapshot("1 run ago").run_id
        # Any command that writes finishes what was begun, also one that then goes back.
        passed(run_in(distill, workspace, *arguments))
        assert page_files(workspace) == expected and workspace.files() == after.files()
        restore(workspace.settings, oldest, Silent())
        assert page_files(workspace) == before and workspace.files() == ready.files()
        faults.injected("run killed at a step")

    each(work, numbers)


def test_killed_while_a_restore_moves_pages(tmp_path: Path, ready: Workspace, faults: Faults) -> None:
    published = ready.copy(tmp_path / "published")
    before, oldest = page_files(published), published.warehouse.snapshot().run_id
    published.passed(accept_rewrite=True)
    after = published.copy(tmp_path / "after")
    with borrowed() as distill:
        steps = passed(run_in(distill, after, "restore", "--to", oldest, stop=Stop(do="watch"))).steps
    numbers = moves([step for step in steps if not step.startswith("tree ")])

    def work(distill: Distill, number: int) -> None:
        workspace = published.copy(tmp_path / str(number))
        assert run_in(distill, workspace, "restore", "--to", oldest, stop=Stop(number)).code == -signal.SIGKILL
        passed(run_in(distill, workspace, "vacuum", "--keep-runs", "9"))
        assert page_files(workspace) == before and workspace.files() == after.files()
        faults.injected("restore killed at a step")

    each(work, numbers[::2])
