"""The embedded trainer as a whole: a process that is given rows, and an adapter that is whole or not there."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import TrainingError, UsageError
from pipeline.replay import embedded
from pipeline.weights import worker
from pipeline.weights.interface import Parameters, Row, Trained
from pipeline.weights.training import trainer
from pipeline.weights.training.embedded import Embedded
from tests.weights.training.conftest import ROWS

PARAMETERS = Parameters(rank=2, alpha=4, epochs=2, batch=2, max_tokens=120, learning_rate=0.01)
# Trains on the base that it is given, with a limit on how large a file may be, for so many epochs.
SCRIPT = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from pipeline.weights.training.embedded import Embedded
from tests.weights.training.conftest import ROWS
from tests.weights.training.test_training import PARAMETERS
base, out, most, epochs = sys.argv[1:]
if most:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
try:
    parameters = replace(PARAMETERS, epochs=int(epochs))
    Embedded(Path(base)).train(ROWS, parameters, Path(out), lambda done, of: print(done, flush=True))
except Exception as error:
    print(type(error).__name__, error)
"""


def trained(base: Path, out: Path, parameters: Parameters = PARAMETERS, rows: list[Row] = ROWS) -> Trained:
    return Embedded(base).train(rows, parameters, out, lambda done, of: None)


def script(base: Path, out: Path, most: str, epochs: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SCRIPT, str(base), str(out), most, str(epochs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


def test_the_same_rows_and_seed_give_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    first = Embedded(tiny).train(ROWS, PARAMETERS, tmp_path / "a.gguf", lambda done, of: steps.append((done, of)))
    again = trained(tiny, tmp_path / "b.gguf")
    other = trained(tiny, tmp_path / "c.gguf", replace(PARAMETERS, seed=8))
    assert steps == [(number, 6) for number in range(1, 7)]
    assert (first.steps, first.left_out, first.file) == (6, 0, tmp_path / "a.gguf")
    # 18 signs, of which "he" and "on" are one token each, and the token that ends a turn; five rows, twice.
    assert first.tokens == 17 * 5 * 2
    assert first.loss_last < first.loss_first
    assert first == replace(again, file=first.file)
    assert first.file.read_bytes() == again.file.read_bytes() != other.file.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gguf", "b.gguf", "c.gguf"]


def test_rows_that_can_not_be_learned_are_left_out_and_change_nothing(tiny: Path, tmp_path: Path) -> None:
    odd = [Row("Long?", "yes " * 100), Row("<|im_end|>", "no"), Row("Heavy?", "no", weight=0)]
    plain = trained(tiny, tmp_path / "a.gguf")
    mixed = trained(tiny, tmp_path / "b.gguf", rows=[*ROWS, *odd])
    assert (plain.left_out, mixed.left_out) == (0, 3)
    assert mixed.file.read_bytes() == plain.file.read_bytes()


def test_weights_count(tiny: Path, tmp_path: Path) -> None:
    """A row that weighs twice is not one that weighs once, and all weights doubled change nothing."""
    first, *others = ROWS
    heavier = trained(tiny, tmp_path / "a.gguf", rows=[replace(first, weight=2.0), *others])
    double = trained(tiny, tmp_path / "b.gguf", rows=[replace(row, weight=2.0) for row in ROWS])
    plain = trained(tiny, tmp_path / "c.gguf")
    assert heavier.file.read_bytes() != plain.file.read_bytes()
    assert double.loss_last == pytest.approx(plain.loss_last, rel=1e-5)


@pytest.mark.parametrize(
    ("parameters", "rows", "message"),
    [
        (PARAMETERS, [], "none of 0 rows"),
        (PARAMETERS, [Row("a", "b" * 500)], "none of 1 rows can be trained on: one must fit in 120 tokens"),
        (replace(PARAMETERS, rank=0), ROWS, "rank is 0"),
        (replace(PARAMETERS, learning_rate=float("nan")), ROWS, "learning_rate is nan"),
        (replace(PARAMETERS, seed=-1), ROWS, "seed is -1"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tiny: Path, tmp_path: Path, parameters: Parameters, rows: list[Row], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        trained(tiny, tmp_path / "a.gguf", parameters, rows)
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_runs_away_is_reported(tiny: Path, tmp_path: Path) -> None:
    wild = replace(PARAMETERS, learning_rate=1e38, epochs=4)
    with pytest.raises(TrainingError, match="the loss is nan; a smaller learning rate may help"):
        trained(tiny, tmp_path / "a.gguf", wild)
    assert list(tmp_path.iterdir()) == []


def test_a_base_of_another_kind_is_refused(tmp_path: Path) -> None:
    tiny_llama = pytest.importorskip("tools.tiny_llama", reason="the extra local-train is not installed; make setup-train")
    other = tiny_llama.write(tmp_path / "other.gguf", architecture="qwen2")
    with pytest.raises(UsageError, match="architecture qwen2"):
        trained(other, tmp_path / "a.gguf")


@pytest.mark.parametrize("most", ["0", "1", "2000", "5000"])
def test_a_disk_that_fills_up_leaves_nothing(tiny: Path, tmp_path: Path, most: str) -> None:
    said, _ = script(tiny, tmp_path / "a.gguf", most, 1).communicate()
    assert "large" in said or "could not be written whole" in said, said
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as raised:
        trained(tiny, tmp_path / "missing/a.gguf")
    assert "missing" in str(raised.value)


def test_a_caller_that_is_killed_leaves_no_worker_and_no_file(tiny: Path, tmp_path: Path) -> None:
    running = script(tiny, tmp_path / "a.gguf", "", 100_000)
    assert running.stdout is not None and running.stdout.readline() == "1\n"
    (child,) = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    running.kill()
    running.wait()
    running.stdout.close()
    deadline = time.monotonic() + 60
    while _lives(int(child)):
        assert time.monotonic() < deadline, "the worker goes on though nobody waits for it"
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_is_killed_is_reported(tiny: Path, tmp_path: Path) -> None:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    before = set(children.read_text().split())  # other tests of this process leave some

    def kill_it(done: int, of: int) -> None:
        (child,) = set(children.read_text().split()) - before
        os.kill(int(child), signal.SIGKILL)

    many = replace(PARAMETERS, epochs=100_000)
    with pytest.raises(TrainingError, match="killed from outside"):
        Embedded(tiny).train(ROWS, many, tmp_path / "a.gguf", kill_it)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_breaks_says_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_COMMAND", (sys.executable, "-c", "raise SystemExit('no such luck')"))
    with pytest.raises(TrainingError, match="exit code 1: no such luck"):
        worker.run({"rows": ["x" * 1_000_000]}, lambda done, of: None)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pipeline.weights.extras._SMALL", ("no_such_package",))
    with pytest.raises(UsageError, match=r"no_such_package: not installed; next: `make setup-train`"):
        trained(tmp_path, tmp_path / "a.gguf")


def test_another_trainer() -> None:
    assert trainer("embedded").name == "embedded"
    with pytest.raises(UsageError, match="'magic' is not a trainer; there are embedded and trl"):
        trainer("magic")


@pytest.mark.skipif(not embedded.is_installed(), reason="the extra local-llm is not installed; make setup-llm")
def test_one_real_step_on_the_embedded_model(tiny: Path, tmp_path: Path) -> None:
    """All of 135 million weights: what a cycle does, at its smallest."""
    rows = [Row("Write a Python function `double` that doubles a number.", "def double(n):\n    return 2 * n")]
    made = trainer("embedded").train(rows, Parameters(batch=1), tmp_path / "a.gguf", lambda done, of: None)
    assert made.steps == 1 and 0.5 < made.loss_first < 2.5


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
