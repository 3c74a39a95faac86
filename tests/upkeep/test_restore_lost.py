"""A restore needs what belongs to the state that it goes to, whatever was lost of the newer ones or can be made again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pipeline.errors import WarehouseError
from pipeline.upkeep.restoring import restore
from tests.conftest import Silent, Workspace
from tests.support.rows import review

STREAM = "observer_reviews.jsonl"
VERDICTS = ("accept", "reject", "cycle", "")


def delete(path: Path) -> None:
    path.unlink()


def garble(path: Path) -> None:
    path.write_bytes(b"\x7f" * path.stat().st_size)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("made"))
    for run in range(3):
        workspace.write(
            STREAM, [review(f"t{run}{n}", VERDICTS[n % 4], f"note {run}{n}", n, model=f"m{n % 2}") for n in range(8)]
        )
        workspace.passed()
    return workspace


def logs(workspace: Workspace) -> Iterator[tuple[str, Path]]:
    for log in sorted(workspace.settings.warehouse.glob("*/*/_delta_log")):
        yield f"{log.parent.parent.name}.{log.parent.name}", log


def newest_files(workspace: Workspace) -> list[Path]:
    """Returns the Parquet files that only the newest state, or only what was noted since the one before, needs."""
    found = []
    before = workspace.warehouse.snapshots()[-2]
    for name, log in logs(workspace):
        now = {Path(uri) for uri in DeltaTable(log.parent).file_uris()}
        version = before.tables[name].delta_version if name in before.tables else DeltaTable(log.parent).version() - 1
        then = {Path(uri) for uri in DeltaTable(log.parent, version=version).file_uris()} if version >= 0 else set()
        found += sorted(now - then)
    return [path.relative_to(workspace.settings.warehouse) for path in found]


def newest_commits(workspace: Workspace) -> list[Path]:
    """Returns the newest file of each log that the state before the newest one does not need."""
    before = workspace.warehouse.snapshots()[-2]
    newest = {name: max(log.glob("*.json")) for name, log in logs(workspace)}
    needed = {name: before.tables[name].delta_version if name in before.tables else 1 for name in newest}
    paths = [path for name, path in newest.items() if int(path.stem) > needed[name]]
    return [path.relative_to(workspace.settings.warehouse) for path in paths]


def comes_back(made: Workspace, workspace: Workspace) -> None:
    """The state before is restored, and a run leads to the newest one again."""
    before = made.warehouse.snapshots()[-2]
    restore(workspace.settings, before.run_id, Silent())
    tables = workspace.warehouse.snapshot().tables
    assert {n: c.sha256 for n, c in tables.items() if c.rows} == {n: c.sha256 for n, c in before.tables.items() if c.rows}
    workspace.passed()
    assert (workspace.hashes(), workspace.files()) == (made.hashes(), made.files())


@pytest.mark.parametrize("damage", [delete, garble])
def test_every_new_file_of_a_table(made: Workspace, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """One table at a time where a table alone decides; all others at once."""
    paths = newest_files(made)
    alone = ("exports/playbooks", "ops/snapshots", "raw/lines")
    assert {path.parent.as_posix() for path in paths} >= {*alone, "exports/rag", "evidence/records", "ops/runs", "scored/runs"}
    groups = [[path for path in paths if path.parent.as_posix() == name] for name in alone]
    groups += [[path for path in paths if path.parent.as_posix() != "ops/snapshots"]]
    for number, lost in enumerate(groups):
        workspace = made.copy(tmp_path / str(number))
        for path in lost:
            damage(workspace.settings.warehouse / path)
        comes_back(made, workspace)


@pytest.mark.parametrize("damage", [delete, cut, garble])
def test_the_newest_commits(made: Workspace, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    paths = newest_commits(made)
    assert {"exports/playbooks", "ops/snapshots", "raw/files"} <= {path.parent.parent.as_posix() for path in paths}
    states, others = ([path for path in paths if ("snapshots" in path.parts) is is_state] for is_state in (True, False))
    for number, lost in enumerate((states, others)):
        workspace = made.copy(tmp_path / str(number))
        for path in lost:
            damage(workspace.settings.warehouse / path)
        comes_back(made, workspace)


@pytest.mark.parametrize("damage", [delete, garble])
def test_what_can_be_made_again(made: Workspace, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """The index, the catalog, what is remembered of files, and checkpoints."""
    workspace = made.copy(tmp_path / "copy")
    warehouse = workspace.settings.warehouse
    for _, log in logs(workspace):
        DeltaTable(log.parent).create_checkpoint()
    for path in [*warehouse.glob("index/*/*"), *warehouse.glob("*.duckdb"), warehouse / ".exports.json"]:
        damage(path)
    for path in [*warehouse.glob("*/*/_delta_log/*.checkpoint.parquet")]:
        damage(path)
    comes_back(made, workspace)


def test_what_was_lost_is_said_and_kept_aside(made: Workspace, tmp_path: Path) -> None:
    workspace = made.copy(tmp_path / "copy")
    commit = max((workspace.settings.warehouse / "exports/rag/_delta_log").glob("*.json"))
    cut(commit)
    left = commit.read_bytes()
    done = restore(workspace.settings, made.warehouse.snapshots()[-2].run_id, Silent())
    assert any(str(commit) in note for note in done.notes)
    assert commit.with_suffix(".damaged").read_bytes() == left


def test_a_state_that_is_lost_itself_is_refused(made: Workspace, tmp_path: Path) -> None:
    """Nothing is published, and the state before is still there to go to."""
    workspace = made.copy(tmp_path / "copy")
    for path in newest_files(made):
        if path.parts[0] == "exports":
            delete(workspace.settings.warehouse / path)
    with pytest.raises(WarehouseError, match=r"exports.*next: "):
        restore(workspace.settings, "latest", Silent())
    assert len(workspace.warehouse.snapshots()) == 3
    comes_back(made, workspace)
