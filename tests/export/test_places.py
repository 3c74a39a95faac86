"""A folder that can't take the drafts is found out before anything is published, and nothing is ever published by half."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import WarehouseError
from pipeline.export import files
from pipeline.upkeep.restoring import restore
from tests.conftest import Silent, Workspace
from tests.support.rows import review

STREAM = "observer_reviews.jsonl"
FOLDERS = ("rag", "sft", "preference", "playbooks", files.DRAFTS)
OTHER_DISK = Path("/dev/shm")
SFT = "sft/instruction_response.jsonl"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("made"))
    add(workspace, "a")
    workspace.passed()
    return workspace


@pytest.fixture
def grown(made: Workspace, tmp_path: Path) -> Workspace:
    """Published once, with a line more."""
    workspace = made.copy(tmp_path / "grown")
    add(workspace, "b")
    return workspace


def add(workspace: Workspace, task: str) -> None:
    workspace.write(STREAM, [review(task, "accept", f"good {task}"), review(task, "reject", f"bad {task}")])


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    if not OTHER_DISK.is_dir() or OTHER_DISK.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip(f"{OTHER_DISK} is no other file system here")
    with tempfile.TemporaryDirectory(dir=OTHER_DISK) as folder:
        yield Path(folder)


def refused(workspace: Workspace, said: str) -> None:
    """A run and a restore are refused, and leave the tables and the files as they were."""
    before = len(workspace.warehouse.snapshots()), workspace.files()
    with pytest.raises(WarehouseError, match=said):
        workspace.run()
    with pytest.raises(WarehouseError, match=said):
        restore(workspace.settings, "latest", Silent())
    assert (len(workspace.warehouse.snapshots()), workspace.files()) == before


def test_folders_on_another_file_system(grown: Workspace, elsewhere: Path) -> None:
    exports = grown.settings.exports
    for name in FOLDERS:
        away = elsewhere / name
        shutil.move(exports / name, away) if (exports / name).exists() else away.mkdir()
        (exports / name).symlink_to(away)
        refused(grown, f"{name}: lies on another file system.*next: ")
        (exports / name).unlink()
        shutil.move(away, exports / name)
    grown.passed()
    assert len(grown.exported(SFT)) == 2


def test_a_new_warehouse_is_refused_before_it_publishes(tmp_path: Path, elsewhere: Path) -> None:
    workspace = Workspace(tmp_path / "new")
    add(workspace, "a")
    workspace.settings.exports.mkdir()
    (workspace.settings.exports / "sft").symlink_to(elsewhere)
    with pytest.raises(WarehouseError, match="another file system"):
        workspace.run()
    assert not list(elsewhere.iterdir()) and not list(workspace.settings.exports.rglob("*.jsonl"))
    (workspace.settings.exports / "sft").unlink()
    workspace.passed()


def test_all_of_the_exports_may_lie_on_another_file_system(grown: Workspace, elsewhere: Path) -> None:
    shutil.move(grown.settings.exports, elsewhere / "exports")
    grown.settings.exports.symlink_to(elsewhere / "exports")
    grown.passed()
    assert len(grown.exported(SFT)) == 2


def to_file(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("in the way")


def to_lost_link(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.symlink_to("nowhere")


@pytest.mark.parametrize("way", [to_file, to_lost_link])
def test_something_else_where_a_folder_belongs(grown: Workspace, way: Callable[[Path], None]) -> None:
    for name in FOLDERS:
        path = grown.settings.exports / name
        way(path)
        refused(grown, f"{name}: is no folder.*next: ")
        path.unlink()
    grown.passed()


def test_a_folder_where_a_file_belongs(grown: Workspace) -> None:
    """It is found where a draft is to go there."""
    path = grown.settings.exports / SFT
    path.unlink()
    path.mkdir()
    failure = grown.run().failure
    assert failure is not None and f"{path}: is a folder where a file belongs; next: " in str(failure)
    assert len(grown.warehouse.snapshots()) == 1 and len(grown.exported("rag/playbooks.jsonl")) == 1
    path.rmdir()
    grown.passed()


def test_a_move_that_the_system_refuses(grown: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """As between two mounts of one file system, which nothing but a move shows."""
    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if "sft" in target.parts:
            raise OSError(18, "Invalid cross-device link", str(path))
        return replace(path, target)

    before = grown.files()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        failure = grown.run().failure
    assert failure is not None and "sft: lies on another file system" in str(failure)
    assert (len(grown.warehouse.snapshots()), grown.files()) == (1, before)
    grown.passed()


def test_a_link_to_a_file_becomes_a_file(grown: Workspace, tmp_path: Path) -> None:
    path = grown.settings.exports / SFT
    path.rename(tmp_path / "kept")
    path.symlink_to(tmp_path / "kept")
    grown.passed()
    assert not path.is_symlink() and len(grown.exported(SFT)) == 2


def test_what_an_older_release_published_by_half_is_finished(grown: Workspace, elsewhere: Path) -> None:
    """It found out after the snapshot that one of the drafts could not be moved. Then the link is taken away."""
    exports = grown.settings.exports
    grown.passed()
    whole = grown.files()
    draft = files.draft_path(exports, SFT)
    draft.parent.mkdir(parents=True)
    (exports / SFT).rename(draft)
    (exports / "sft").rmdir()
    (exports / "sft").symlink_to(elsewhere)
    with pytest.raises(WarehouseError, match="another file system"):
        grown.run()
    assert draft.is_file()
    (exports / "sft").unlink()
    grown.passed()
    assert grown.files() == whole
