"""kill -9 anywhere in a restore: what was published stays, or the restore counts as a whole, and no line is lost or doubled."""

import shutil
import signal
from pathlib import Path

from tests.conftest import Workspace
from tests.faults.record import Faults
from tests.faults.scene import Scene, what
from tests.faults.scene import recovers as comes_back
from tests.support.forked import Distill, Done, Stop, each, passed
from tests.support.killing import run


def killed(done: Done) -> None:
    assert done.code == -signal.SIGKILL, done.text


def holds(scene: Scene, workspace: Workspace, *, restored: bool) -> None:
    """Readers see one state, whole; a file is of that or, until the next command, of the one before."""
    now = what(workspace)
    assert now.tables == (scene.oldest if restored else scene.newest).tables
    for name, content in now.files.items():
        older = (scene.oldest.files.get(name),) if restored and not workspace_drafts(workspace, name) else ()
        assert content in (*older, scene.newest.files.get(name)), name


def workspace_drafts(workspace: Workspace, name: str) -> bool:
    return (workspace.settings.exports / ".drafts" / name).exists()


def recovers(scene: Scene, distill: Distill, workspace: Workspace, way: str) -> None:
    """By a run, or by the same restore and then a run: all lines are there once."""
    if way == "restore":
        passed(scene.restore(distill, workspace))
        assert what(workspace) == scene.oldest
    comes_back(scene, distill, workspace)


def test_killed_before_every_step(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    publishing = scene.first("/ops/snapshots/")

    def work(distill: Distill, stop: Stop) -> None:
        workspace = scene.copy(tmp_path / f"{stop.number}{stop.after}")
        killed(scene.restore(distill, workspace, stop))
        holds(scene, workspace, restored=stop.number > publishing)
        recovers(scene, distill, workspace, "restore" if stop.number % 2 else "run")
        faults.injected("restore killed at a step")

    # One of the derived tables is as good as another, and so is one of the files.
    texts = ("/evidence/records/", "/scored/runs/", "/raw/lines/", "/raw/files/", "probe", "/ops/snapshots/")
    numbers = {*map(scene.first, texts), *range(publishing + 1, len(scene.steps) + 1)}
    each(work, [*map(Stop, sorted(numbers)), Stop(len(scene.steps), after=True)])


def test_killed_again_while_it_recovers(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    """A restore, or a run, that takes back what a killed restore did, is killed after each of its first steps."""
    ledger, lines, publishing = (scene.first(text) for text in ("/raw/files/", "/raw/lines/", "/ops/snapshots/"))
    first = Stop(publishing)
    cases = [(first, Stop(n, after=True), way) for n in (1, 2, 6) for way in ("run", "restore")]
    cases += [(Stop(lines, after=True), Stop(1, after=True), "run"), (Stop(ledger, after=True), Stop(1, after=True), "run")]

    def work(distill: Distill, case: tuple[Stop, Stop, str]) -> None:
        one, two, way = case
        workspace = scene.copy(tmp_path / f"{one.number} {two.number} {way}")
        killed(scene.restore(distill, workspace, one))
        again = run(distill, workspace, two) if way == "run" else scene.restore(distill, workspace, two)
        killed(again)
        assert what(workspace) == scene.newest, again.steps
        shutil.rmtree(workspace.data)  # what was landed is not read again from here
        shutil.copytree(scene.root / "data", workspace.data)
        recovers(scene, distill, workspace, way)
        faults.injected("restore killed at a step")
        faults.injected("recovery killed")

    each(work, cases)


def test_killed_again_and_the_files_are_gone(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    """A restore that never was published takes no line away, also where no file is left to read it from again."""

    def work(distill: Distill, number: int) -> None:
        workspace = scene.copy(tmp_path / str(number))
        killed(scene.restore(distill, workspace, Stop(text="/ops/snapshots/")))
        killed(run(distill, workspace, Stop(number, after=True)))
        (workspace.data / "scrum_reviews.jsonl").unlink()
        passed(run(distill, workspace))
        assert what(workspace) == scene.newest
        faults.injected("restore killed at a step")
        faults.injected("recovery killed")

    each(work, range(1, 4))


def test_killed_while_it_leaves_a_damaged_state(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    """The state before can't be gone back to, as a file of it is lost: the next restore comes through all the same."""

    def work(distill: Distill, case: tuple[str, str]) -> None:
        table, text = case
        workspace = scene.copy(tmp_path / "-".join(case).replace("/", "."))
        folder = workspace.settings.warehouse / table.replace(".", "/")
        max(folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns).unlink()
        killed(scene.restore(distill, workspace, Stop(text=text)))
        recovers(scene, distill, workspace, "restore")
        faults.injected("restore killed at a step")
        faults.injected("Parquet file damaged")

    cases = [("evidence.records", "/exports/rag/"), ("evidence.records", "/ops/snapshots/")]
    each(work, [*cases, ("raw.lines", "/raw/files/"), ("raw.lines", "probe")])
