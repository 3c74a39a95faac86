"""Storage that is full, read-only or in the way: a clear word and exit 3, and what was published stays as it was."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.faults.record import Faults
from tests.faults.scene import LAND, RESTORE, VACUUM, Scene, clear, recovers, what
from tests.faults.storage import KIB, NO_DISK, full, read_only, tiny_disk
from tests.support.forked import Distill, Done, each, passed, refused, run_in
from tests.support.killing import RUN_ALL, published_files, run

COMMANDS = {"run": RUN_ALL, "land": LAND, "restore": RESTORE, "vacuum": VACUUM}
# What is on the disk, how many KiB are left, and who writes: full at once, while reporting, or later.
FULL = [("warehouse", 0, "run"), ("warehouse", 60, "run"), ("warehouse", 200, "run")]
FULL += [("exports", 0, "run"), ("exports", 8, "run"), ("reports", 0, "run"), ("exports", 0, "restore")]
FULL += [("warehouse", kept, name) for name in ("land", "restore", "vacuum") for kept in (0, 24)]


def moved(workspace: Workspace, what: str, disk: Path) -> dict[str, str]:
    """Puts a folder of a workspace onto a disk, and a link in its place; returns the environment that names it."""
    shutil.move(workspace.root / what, disk / what)
    (workspace.root / what).symlink_to(disk / what)
    return {f"DISTILL_{what.upper()}": str(disk / what)}


def test_a_full_disk(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    def work(distill: Distill, case: tuple[str, int, str]) -> None:
        place, kept, name = case
        workspace = scene.copy(tmp_path / f"{place} {kept} {name}")
        with tiny_disk(tmp_path / f"disk {place} {kept} {name}") as disk:
            if disk is None:
                faults.not_here("disk full", 1, NO_DISK)
                return
            environment = moved(workspace, place, disk)
            with full(disk, kept):
                done = run_in(distill, workspace, *COMMANDS[name], environment=environment)
            settled(scene, distill, workspace, done, "No space left", environment)
        faults.injected("disk full")

    each(work, FULL)


def settled(scene: Scene, distill: Distill, workspace: Workspace, done: Done, why: str, environment: dict[str, str]) -> None:
    """A command that failed said why, and changed nothing; one that had room enough did its work. Then runs pass."""
    if done.code != 0:
        clear(done, why)
        assert str(workspace.root.parent) in done.err, f"it is not said where: {done.text}"
        assert what(workspace) == scene.newest, done.text
    assert scene.is_gated(workspace)
    passed(run_in(distill, workspace, *RUN_ALL, environment=environment))
    assert what(workspace) == scene.all


LIMITS = [("run", 1), ("run", 4), ("run", 10), ("land", 0.5), ("restore", 0.5), ("restore", 3), ("vacuum", 0.5)]


def test_files_that_may_not_grow(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    """As on a full disk, but at another place in each command; and possible on any machine."""

    def work(distill: Distill, case: tuple[str, float]) -> None:
        name, kib = case
        workspace = scene.copy(tmp_path / f"{name} {kib}")
        done = run_in(distill, workspace, *COMMANDS[name], file_bytes=int(kib * KIB))
        assert done.code != 0, "that was no fault"
        settled(scene, distill, workspace, done, "File too large", {})
        faults.injected("file size limit")

    each(work, LIMITS)


LOCKED = ("warehouse", "warehouse/raw/lines", "warehouse/scored/runs", "warehouse/ops/snapshots", "exports", "exports/rag")


def test_a_folder_that_may_not_be_written(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    def work(distill: Distill, place: str) -> None:
        workspace = scene.copy(tmp_path / place.replace("/", "-"))
        with read_only(workspace.root / place):
            clear(run_in(distill, workspace, *RUN_ALL, mortal=True), str(workspace.root / Path(place).parent), "denied")
            assert what(workspace) == scene.newest
        recovers(scene, distill, workspace)
        faults.injected("no right to write")

    each(work, [*LOCKED, "reports"])


def test_readers_need_no_right_to_write(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    def work(distill: Distill, query: str) -> None:
        workspace = scene.copy(tmp_path / "readers")
        with read_only(workspace.settings.warehouse):
            done = passed(run_in(distill, workspace, "sql", query, "--format", "json", mortal=True))
        assert json.loads(done.out) == [{"n": len(workspace.rows("evidence.records"))}]
        faults.injected("no right to write")

    each(work, ["select count(*) as n from evidence.records"])


def a_file_for_the_corpus(workspace: Workspace) -> Path:
    shutil.rmtree(workspace.settings.exports / "rag")
    (workspace.settings.exports / "rag").write_text("in the way")
    return workspace.settings.exports / "rag"


def a_folder_for_the_file(workspace: Workspace) -> Path:
    path = workspace.settings.exports / "sft/instruction_response.jsonl"
    path.unlink()
    path.mkdir()
    return path


def a_file_for_the_reports(workspace: Workspace) -> Path:
    shutil.rmtree(workspace.settings.reports)
    workspace.settings.reports.write_text("in the way")
    return workspace.settings.reports


def a_folder_for_the_catalog(workspace: Workspace) -> Path:
    path = workspace.settings.warehouse / "distillery.duckdb"
    path.unlink()
    path.mkdir()
    return path


def a_folder_for_the_lock(workspace: Workspace) -> Path:
    path = workspace.settings.warehouse / ".lock"
    path.unlink()
    path.mkdir()
    return path


def a_file_for_the_table(workspace: Workspace) -> Path:
    path = workspace.settings.warehouse / "ops/audit_baselines"
    shutil.rmtree(path)
    path.write_text("in the way")
    return path


OBSTACLES: tuple[Callable[[Workspace], Path], ...] = (
    *(a_file_for_the_corpus, a_folder_for_the_file, a_file_for_the_reports, a_folder_for_the_catalog),
    *(a_folder_for_the_lock, a_file_for_the_table),
)


def test_something_is_in_the_way(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    """It is named; nothing is published while it is there, and everything once it is gone."""

    def work(distill: Distill, obstacle: Callable[[Workspace], Path]) -> None:
        workspace = scene.copy(tmp_path / obstacle.__name__)
        path = obstacle(workspace)
        done = run(distill, workspace)
        if path == workspace.settings.reports:
            refused(done, 2, str(path))
        else:
            clear(done, str(path))
        path.rmdir() if path.is_dir() else path.unlink()
        held = published_files(workspace)
        assert held.items() <= scene.newest.files.items()
        recovers(scene, distill, workspace)
        faults.injected("something in the way")

    each(work, OBSTACLES)


def test_standard_output_is_full(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    workspace = scene.copy(tmp_path / "full")
    for arguments in (["sql", "select 1"], ["sql", "select 1", "--format", "csv"]):
        with Path("/dev/full").open("w") as nowhere:
            command = [sys.executable, "-m", "pipeline", *arguments]
            done = subprocess.run(
                command, env=workspace.environment(), stdout=nowhere, stderr=subprocess.PIPE, text=True, timeout=60
            )
        assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr
        faults.injected("disk full")
