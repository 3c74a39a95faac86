"""kill -9 anywhere: readers see what was published, files are old or new, and the next run comes out as if nothing had been."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pipeline.models import tables
from tests.conftest import Workspace
from tests.faults.record import Faults
from tests.support.forked import WATCHED, Distill, Stop, each, refused
from tests.support.killing import (
    READ,
    RUN_ALL,
    Scene,
    contents,
    holds,
    killed,
    make_scene,
    recovers,
    review,
    run,
)


@pytest.fixture(scope="module")
def appended(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A published warehouse, and lines that came in after."""
    return make_scene(tmp_path_factory.mktemp("appended"), published=True)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The same lines, and no warehouse yet."""
    return make_scene(tmp_path_factory.mktemp("fresh"), published=False)


@pytest.mark.parametrize("published", [True, False], ids=["appended", "fresh"])
def test_between_two_steps_nothing_changes(request: pytest.FixtureRequest, published: bool) -> None:
    """So a kill after a step is a kill before the next, and no step that matters is missing here."""
    scene: Scene = request.getfixturevalue("appended" if published else "fresh")
    noted = scene.noted
    assert len(noted) == 3 * len(scene.steps)
    for number in range(len(scene.steps) - 1):
        after, following = noted[3 * number + 2], noted[3 * number + 4]
        assert after.startswith(WATCHED) and after == following, f"files changed between {noted[3 * number]} and the next step"
    commits = [step for step in scene.steps if step.startswith(("write_deltalake", "create_write_transaction"))]
    for table in (*READ, "raw.files", "ops.receipts", "ops.runs", "ops.drift", "ops.snapshots"):
        assert any(table.replace(".", "/") in step for step in commits), table


def test_one_run_or_two_come_out_the_same(appended: Scene, fresh: Scene) -> None:
    """So it does not matter which of them a killed run is held against."""
    assert appended.expected.new == fresh.expected.new
    assert appended.expected.new_files == fresh.expected.new_files


def test_killed_before_every_step_and_after_the_last(tmp_path: Path, appended: Scene, faults: Faults) -> None:
    """The next run is tried wherever a table or a published file differs from the point before; drafts and reports, which no
    run reads, make no difference to it.
    """
    expected, steps = appended.expected, appended.steps
    reports = [number for number, step in enumerate(steps, 1) if "/reports/" in step]
    # A file that no commit names yet is as good as another.
    unnamed = [number for number, step in enumerate(steps, 1) if step.startswith(("write_parquet", "draft"))]
    matters = [
        1,
        *(
            number
            for number, step in enumerate(steps, 2)
            if ("warehouse/" in step and "duckdb" not in step) or "/exports/" in step
        ),
    ]

    def work(distill: Distill, stop: Stop) -> None:
        workspace = killed(distill, appended, tmp_path, stop)
        holds(workspace, expected, is_published=appended.is_published(stop))
        if stop.number in matters or stop.after:
            recovers(distill, workspace, expected)
        faults.injected("run killed at a step")

    numbers = [number for number in range(1, len(steps) + 1) if number not in (*reports[1:-1], *unnamed[1:-1])]
    each(work, [*map(Stop, numbers), Stop(len(steps), after=True)])


def test_killed_in_the_first_run(tmp_path: Path, fresh: Scene, faults: Faults) -> None:
    expected = fresh.expected
    assert (expected.old, expected.old_files) == (None, {})
    texts = ("/raw/lines/ ", "/raw/files/ ", "/ops/snapshots/ ", "mkdir")
    first = {text: [n for n, step in enumerate(fresh.steps, 1) if text in step][-1] for text in texts}

    def work(distill: Distill, stop: Stop) -> None:
        workspace = killed(distill, fresh, tmp_path, stop)
        holds(workspace, expected, is_published=fresh.is_published(stop))
        recovers(distill, workspace, expected)
        faults.injected("run killed at a step")

    each(work, map(Stop, first.values()))


def test_killed_while_tables_are_made(tmp_path: Path, fresh: Scene, faults: Faults) -> None:
    """A table is made with its checks or not at all."""
    expected = fresh.expected
    made = [number for number, step in enumerate(fresh.steps, 1) if step.startswith(("mkdir", "create ", "add_constraint"))]

    def work(distill: Distill, stop: Stop) -> None:
        workspace = killed(distill, fresh, tmp_path, stop)
        assert contents(workspace) is None
        recovers(distill, workspace, expected)
        for name, table in tables.load(workspace.settings.sql_folders()).items():
            held = DeltaTable(str(workspace.settings.warehouse / name.replace(".", "/"))).metadata().configuration
            assert len([key for key in held if key.startswith("delta.constraints.")]) == len(table.checks), name
        faults.injected("run killed at a step")

    each(work, map(Stop, made[2:4]))


def test_killed_while_recovering(tmp_path: Path, appended: Scene, faults: Faults) -> None:
    """What was killed twice: first before the ledger, or before the snapshot, then while that is taken back."""
    expected, torn, full = appended.expected, Stop(appended.step("/raw/files/")), Stop(appended.step("/ops/snapshots/ "))

    def work(distill: Distill, stops: tuple[Stop, Stop]) -> None:
        first, second = stops
        workspace = killed(distill, appended, tmp_path / str(second.number), first)
        done = run(distill, workspace, second)
        assert done.code == -signal.SIGKILL, done.text
        assert done.steps[-1].startswith(("restore", "write_deltalake")), done.steps
        holds(workspace, expected, is_published=False)
        recovers(distill, workspace, expected)
        faults.injected("run killed at a step")
        faults.injected("recovery killed")

    each(work, [(torn, Stop(1, after=True)), (full, Stop(1, after=True)), (full, Stop(4, after=True))])


def test_killed_at_any_time(tmp_path: Path, appended: Scene, faults: Faults) -> None:
    """Also in the middle of a step, and with the real command: so many tenths of a second after its first commit."""
    expected = appended.expected

    def work(distill: Distill, stop: Stop) -> None:
        workspace = appended.copy(tmp_path / str(stop.number))
        log = workspace.settings.warehouse / "raw/lines/_delta_log"
        before, deadline = set(log.iterdir()), time.monotonic() + 60
        command = [sys.executable, "-m", "pipeline", *RUN_ALL]
        with subprocess.Popen(command, env=workspace.environment(), stdout=subprocess.DEVNULL) as process:
            while set(log.iterdir()) == before and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(stop.number / 10)
            process.kill()
        held = contents(workspace)
        assert held in (expected.old, expected.new)
        holds(workspace, expected, is_published=held == expected.new)
        recovers(distill, workspace, expected)
        faults.injected("run killed at a random time")

    each(work, [Stop(0), Stop(3), Stop(6)])


def test_a_line_in_the_ledger_is_not_lost_with_its_file(tmp_path: Path, appended: Scene, faults: Faults) -> None:
    """The file shrinks back to what it was between the kill and the next run: that is said, and nothing is forgotten."""
    expected = appended.expected
    ledger, publishing = appended.step("/raw/files/"), appended.step("/ops/snapshots/ ")

    def work(distill: Distill, stop: Stop) -> None:
        workspace = killed(distill, appended, tmp_path, stop)
        path = workspace.data / "scrum_reviews.jsonl"
        full = path.read_bytes()
        path.write_bytes(appended.lines)
        done = run(distill, workspace)
        refused(done, 3, str(path), "--accept-rewrite")
        holds(workspace, expected, is_published=appended.is_published(stop))
        path.write_bytes(full)
        recovers(distill, workspace, expected)
        faults.injected("run killed at a step")
        faults.injected("source file damaged")

    each(work, [Stop(ledger, after=True), Stop(publishing), Stop(publishing, after=True)])


def test_a_killed_run_leaves_no_drafts_for_ever(tmp_path: Path, appended: Scene, faults: Faults) -> None:
    """What it was writing when it died is gone after the next run."""
    expected, cache = appended.expected, appended.step("/warehouse/.sources.json")

    def work(distill: Distill, stop: Stop) -> None:
        workspace = killed(distill, appended, tmp_path, stop)
        recovers(distill, workspace, expected)
        folders = (workspace.settings.warehouse, workspace.settings.exports)
        left = [path for folder in folders for path in folder.rglob("*") if ".draft" in path.name or path.name == ".spill"]
        assert not left
        faults.injected("run killed at a step")

    each(work, [Stop(cache), Stop(len(appended.steps))])


def test_a_killed_run_leaves_no_process(tmp_path: Path, faults: Faults) -> None:
    """Workers that read many files in parallel end with the run."""
    workspace = Workspace(tmp_path)
    line = json.dumps(review(1) | {"review": "x" * 1000}).encode() + b"\n"
    for number in range(40):
        (workspace.data / f"stream_{number}.jsonl").write_bytes(line * 4000)
    command = [sys.executable, "-m", "pipeline", *RUN_ALL]
    mark = {"DISTILL_TEST_MARK": str(tmp_path)}
    with subprocess.Popen(command, env=workspace.environment() | mark, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while len(_marked(str(tmp_path))) < 3 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.poll() is None
        process.kill()
    deadline = time.monotonic() + 5
    while (left := _marked(str(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process_id in left:
        os.kill(process_id, signal.SIGKILL)
    assert not left
    faults.injected("run killed at a random time")


def _marked(text: str) -> list[int]:
    """Returns the processes that were started with a text in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if text.encode() in (folder / "environ").read_bytes() and (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found
