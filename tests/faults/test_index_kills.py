"""kill -9 while the index is made: readers search the published one, and the next run comes out the same."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.faults.record import Faults
from tests.support.forked import Distill, Stop, each, run_in
from tests.support.killing import RUN_ALL
from tests.support.rows import review
from tests.support.searching import found, ids, indexed

STREAM = "observer_reviews.jsonl"


def rows(first: int, last: int) -> list[dict[str, object]]:
    return [review(f"t{number}", "accept", f"Finding {number}: E{1000 + number}", number) for number in range(first, last)]


def first_found(workspace: Workspace, number: int) -> str:
    """Returns the title of what is found first for the code of a finding."""
    ((best, _),) = found(workspace, f"E{1000 + number}", 1)
    titles: dict[str, str] = {row["id"]: row["title"] for row in workspace.rows("exports.rag")}
    return titles[best]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A published state, and lines that came in after."""
    workspace = Workspace(tmp_path_factory.mktemp("published"))
    workspace.write(STREAM, rows(0, 40))
    workspace.passed()
    workspace.write(STREAM, rows(40, 43))
    return workspace


def test_killed_while_indexing(published: Workspace, tmp_path: Path, faults: Faults) -> None:
    clean = Workspace(tmp_path / "clean")
    shutil.copytree(published.data, clean.data, dirs_exist_ok=True)
    clean.passed()

    def work(distill: Distill, stop: Stop) -> None:
        name = "".join(letter for letter in stop.text if letter.isalnum())
        workspace = published.copy(tmp_path / f"{name}-{stop.after}")
        done = run_in(distill, workspace, *RUN_ALL, stop=stop)
        assert done.code < 0, done.text
        assert first_found(workspace, 39) == "t39.py"
        run_in(distill, workspace, "vacuum", "--dry-run")
        assert not (workspace.settings.warehouse / "index/.drafts").exists()
        workspace.passed()
        assert first_found(workspace, 42) == "t42.py"
        assert indexed(workspace) == sorted(ids(clean))
        assert workspace.files() == clean.files()
        faults.injected("run killed at a step")

    places = ("draft Run", "/index/.drafts/", "/ops/snapshots/")
    each(work, [Stop(after=after, text=text) for text in places for after in (False, True)])
