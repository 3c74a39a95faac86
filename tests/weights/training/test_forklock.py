"""Locks and forks: which places count, and how sure a model is there."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="the extra local-train is not installed; make setup-train")
pytest.importorskip("gguf", reason="the extra local-train is not installed; make setup-train")

import numpy as np

from pipeline.errors import UsageError
from pipeline.replay import embedded
from pipeline.weights import forklock
from pipeline.weights.interface import Parameters, Row
from pipeline.weights.llama import certainty
from pipeline.weights.training.embedded import Embedded
from tests.weights.training.conftest import ROWS


@pytest.mark.parametrize(
    ("shares", "lock", "fork"),
    [
        ([0.9, 0.1, 0, 0, 0], True, False),
        ([0.89, 0.11, 0, 0, 0], False, False),
        ([1, 0, 0, 0, 0], True, False),
        ([0.2, 0.2, 0.2, 0.2, 0.2], False, True),
        ([0.5, 0.5, 0, 0, 0], False, False),  # 0.69 nats: two ways are no fork yet
        ([0.4, 0.3, 0.3, 0, 0], False, True),  # 1.09 nats
        ([0.64, 0.09, 0.09, 0.09, 0.09], False, False),  # 1.15 nats, but no second way
        ([0.6, 0.1001, 0.0999, 0.1, 0.1], False, True),
    ],
)
def test_locks_and_forks(shares: list[float], lock: bool, fork: bool) -> None:
    with np.errstate(divide="ignore"):
        logs = np.log(np.array([shares[::-1]], np.float32))
    locks, forks = certainty.positions(logs)
    assert (locks.tolist(), forks.tolist()) == ([lock], [fork])


def test_the_entropy_of_as_many_equal_tokens() -> None:
    logs = np.log(np.full((3, 8), 1 / 8, np.float32))
    assert certainty.entropies(logs) == pytest.approx([np.log(8)] * 3)


def test_the_base_without_an_adapter(tiny: Path) -> None:
    rows = [*ROWS, Row("<|im_end|>", "no"), Row("Long?", "x" * 2000)]
    found = forklock.measure(None, rows, tiny)
    assert (found.positions, found.left_out) == (17 * 5, 2)
    assert (found.at_locks, found.at_forks) == (found.base_at_locks, found.base_at_forks)
    assert found.forks > 0 and found.locks + found.forks <= found.positions


def test_an_adapter_is_measured_at_the_places_of_the_base(tiny: Path, tmp_path: Path) -> None:
    """Training until the answers are known by heart makes their forks surer, and the right token likelier."""
    parameters = Parameters(rank=4, alpha=8, learning_rate=0.05, epochs=40)
    Embedded(tiny).train(ROWS, parameters, tmp_path / "a.gguf", lambda done, of: None)
    before, after = forklock.measure(None, ROWS, tiny), forklock.measure(tmp_path / "a.gguf", ROWS, tiny)
    assert replace(after, at_locks=before.at_locks, at_forks=before.at_forks) == before
    assert before.at_forks is not None and after.at_forks is not None
    assert after.at_forks.entropy < before.at_forks.entropy
    assert after.at_forks.right > before.at_forks.right


def test_nothing_to_measure(tiny: Path) -> None:
    found = forklock.measure(None, [], tiny)
    assert (found.positions, found.locks, found.forks, found.at_locks, found.base_at_forks) == (0, 0, 0, None, None)


def test_without_the_weights_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "WEIGHTS", "no-such-package")
    with pytest.raises(UsageError, match="the embedded model is not installed"):
        forklock.measure(None, ROWS)
