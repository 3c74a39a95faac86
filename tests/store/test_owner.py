"""An exports folder belongs to one warehouse, however both are moved, and says whose it is before a file is drafted in it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.audit import audit
from pipeline.errors import LockedError, UsageError
from pipeline.query.health import examine
from pipeline.store import owner
from pipeline.upkeep.restoring import restore
from pipeline.upkeep.vacuuming import vacuum
from tests.conftest import Silent, Workspace
from tests.support.rows import review

STREAM = "observer_reviews.jsonl"


def grown(workspace: Workspace, *tasks: str) -> Workspace:
    workspace.write(STREAM, [review(task, "accept", f"note on {task}") for task in tasks])
    workspace.passed()
    return workspace


def sharing(workspace: Workspace, exports: Path) -> Workspace:
    workspace.settings = replace(workspace.settings, exports=exports)
    return workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return grown(grown(Workspace(tmp_path_factory.mktemp("made")), "a"), "b")


@pytest.fixture
def ours(made: Workspace, tmp_path: Path) -> Workspace:
    return made.copy(tmp_path / "ours")


@pytest.fixture
def theirs(ours: Workspace, tmp_path: Path) -> Workspace:
    """Another warehouse, which is told to write to the folder of ours."""
    return sharing(grown(Workspace(tmp_path / "theirs"), "x"), ours.settings.exports)


WRITERS: dict[str, Callable[[Workspace], object]] = {
    "run-all": lambda workspace: workspace.run(),
    "export-sft": lambda workspace: workspace.run("export-sft"),
    "land": lambda workspace: workspace.run("land"),
    "restore": lambda workspace: restore(workspace.settings, "latest", Silent()),
    "vacuum": lambda workspace: vacuum(workspace.settings, 1, 0, Silent()),
    "audit": lambda workspace: audit(workspace.settings, Silent()),
}


def test_another_warehouse_is_refused(ours: Workspace, theirs: Workspace) -> None:
    """By every command that writes, before it changes anything; what it is told to type works."""
    before, snapshots = ours.files(), len(theirs.warehouse.snapshots())
    for name, write in WRITERS.items():
        with pytest.raises(UsageError, match=f"belongs to another warehouse.*--warehouse {theirs.settings.warehouse}"):
            write(theirs)
        assert (ours.files(), len(theirs.warehouse.snapshots())) == (before, snapshots), name
    found = examine(theirs.settings.warehouse, theirs.settings.exports)
    assert found.broken and "belongs to another warehouse" in found.attention[0]
    ours.passed()
    shutil.rmtree(ours.settings.exports)
    theirs.passed()
    assert [row["task_id"] for row in theirs.exported("rag/playbooks.jsonl")] == ["x"]
    with pytest.raises(UsageError, match="another warehouse"):
        ours.run()


def test_a_warehouse_that_does_not_exist_yet_is_refused_before_it_is_made(ours: Workspace, tmp_path: Path) -> None:
    new = sharing(Workspace(tmp_path / "new"), ours.settings.exports)
    new.write(STREAM, [review("n", "accept", "n")])
    for mark in (True, False):
        if not mark:
            (ours.settings.exports / owner.MARK).unlink()
        with pytest.raises(UsageError, match=r"next: `distill run-all .*--exports [^ ]*-2"):
            new.run()
        assert not new.settings.warehouse.exists()


def test_who_never_put_anything_there_keeps_nobody_out(tmp_path: Path) -> None:
    """Such as a first run that failed, and whose warehouse was deleted."""
    first = Workspace(tmp_path / "first")
    first.write(STREAM, ["no JSON", review("n", "accept", "n")])
    assert first.run(strict=True).failure is not None
    assert owner.read(first.settings.exports) is not None
    shutil.rmtree(first.settings.warehouse)
    first.passed()


def test_both_may_be_moved(ours: Workspace, tmp_path: Path) -> None:
    for name in ("warehouse", "exports"):
        ours.settings = replace(ours.settings, **{name: getattr(ours.settings, name).rename(tmp_path / f"moved {name}")})
        grown(ours, name)
    assert len(ours.exported("rag/playbooks.jsonl")) == 4


def test_a_copy_that_went_another_way_is_refused(ours: Workspace, tmp_path: Path) -> None:
    """It has the same name, but does not know the run whose files these are; with exports of its own it goes on."""
    copy = ours.copy(tmp_path / "copy")
    grown(ours, "here")
    before = ours.files()
    for write in (WRITERS["run-all"], WRITERS["restore"]):
        with pytest.raises(UsageError, match="which this warehouse does not know"):
            write(sharing(copy, ours.settings.exports))
    assert ours.files() == before
    grown(sharing(copy, tmp_path / "copy" / "exports"), "there")
    restore(ours.settings, "1 run ago", Silent())
    ours.passed()


@pytest.mark.parametrize("state", ["1 run ago", "latest"])
def test_the_folder_of_an_older_release_is_adopted(ours: Workspace, state: str) -> None:
    """It has no mark, or one that nobody can read, and files of this warehouse; one of them may have been edited."""
    restore(ours.settings, state, Silent())
    mark = ours.settings.exports / owner.MARK
    mark.unlink()
    (ours.settings.exports / "sft/instruction_response.jsonl").write_text("edited\n")
    ours.passed()
    assert owner.read(ours.settings.exports) is not None
    mark.write_text("[]")
    ours.passed()
    assert json.loads(mark.read_text())["place"] == str(ours.settings.warehouse)


def test_unmarked_files_of_somebody_else_are_not_adopted(ours: Workspace, theirs: Workspace) -> None:
    (ours.settings.exports / owner.MARK).unlink()
    before = ours.files()
    with pytest.raises(UsageError, match="none that this warehouse published"):
        theirs.run()
    assert ours.files() == before


def test_one_command_at_a_time(ours: Workspace, tmp_path: Path) -> None:
    """Also where neither warehouse was there before."""
    with owner.held(ours.settings.exports, make=True), pytest.raises(LockedError, match="wait for it to end"):
        ours.run()
    new = Workspace(tmp_path / "new")
    new.write(STREAM, [review("n", "accept", "n")])
    with owner.held(new.settings.exports, make=True), pytest.raises(LockedError):
        new.run()
    new.passed()
