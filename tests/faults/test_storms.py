"""kill -9 at random times, one after the other: readers see a published state all the time, and the next run recovers.

The moments are drawn from a seed, and are fractions of what a command takes when nobody kills it; where exactly that hits
differs from run to run, and must not matter.
"""

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.faults.record import Faults
from tests.faults.scene import LAND, RESTORE, SEED, VACUUM, Scene, drawn, recovers, what
from tests.support.forked import Distill, Stop, borrowed, each, passed, run_in
from tests.support.killing import RUN_ALL, contents

COMMANDS = {"run": RUN_ALL, "land": LAND, "restore": RESTORE, "vacuum": VACUUM}
# Of what is killed in a row, in one warehouse, before anybody lets it recover.
STORMS = (
    *(("run",) * 6, ("land",) * 4 + ("run",) * 2, ("run", "restore") * 3, ("restore",) * 4 + ("vacuum",) * 2),
    *(("land", "vacuum", "restore", "run") * 2, ("vacuum", "run") * 3),
)


@dataclass(frozen=True)
class Alone:
    """A command that nobody kills: how many seconds it takes, and what readers see then."""

    seconds: float
    tables: dict[str, str] | None


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, scene: Scene) -> dict[str, Alone]:
    found = {}
    with borrowed() as distill:
        for name, command in COMMANDS.items():
            workspace = scene.copy(tmp_path_factory.mktemp(name) / "copy")
            began = time.monotonic()
            passed(run_in(distill, workspace, *command))
            found[name] = Alone(time.monotonic() - began, contents(workspace))
    return found


def kill(distill: Distill, workspace: Workspace, name: str, seconds: float) -> None:
    """Kills a command after so many seconds; sooner, where it was done by then."""
    while True:
        done = run_in(distill, workspace, *COMMANDS[name], stop=Stop(seconds=seconds))
        if done.code == -signal.SIGKILL:
            return
        assert done.code in (0, 2), f"seed {SEED}: {done.text}"  # 2: of one state, a vacuum left none to go back to
        seconds /= 2


def test_one_after_the_other(tmp_path: Path, scene: Scene, alone: dict[str, Alone], faults: Faults) -> None:
    # A command may have published what it made just before it was killed.
    states = [scene.newest.tables, *(command.tables for command in alone.values())]

    def work(distill: Distill, number: int) -> None:
        chance, workspace = drawn("storm", number), scene.copy(tmp_path / str(number))
        for name in STORMS[number]:
            kill(distill, workspace, name, chance.random() * alone[name].seconds)
            assert contents(workspace) in states, f"seed {SEED}: {name}"
            assert scene.is_gated(workspace), f"seed {SEED}: {name}"
        recovers(scene, distill, workspace)
        for name in STORMS[number]:
            faults.injected(f"{name} killed at a random time")

    each(work, range(len(STORMS)))


def test_in_the_first_run(tmp_path: Path, scene: Scene, alone: dict[str, Alone], faults: Faults) -> None:
    """Nothing was published yet, and nothing is half-published."""

    def work(distill: Distill, number: int) -> None:
        workspace, chance = Workspace(tmp_path / str(number)), drawn("first", number)
        for path in (scene.root / "data").iterdir():
            (workspace.data / path.name).write_bytes(path.read_bytes())
        for _ in range(3):
            kill(distill, workspace, "run", chance.random() * alone["run"].seconds)
            assert not workspace.files() or what(workspace) == scene.all or scene.is_gated(workspace)
        recovers(scene, distill, workspace)
        for _ in range(3):
            faults.injected("run killed at a random time")

    each(work, range(2))
