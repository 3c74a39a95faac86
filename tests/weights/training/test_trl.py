"""The trainer `trl`, for real, on the tiny base. Skipped where the extra `train` is missing; `make test-trl` installs it."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.errors import TrainingError, UsageError
from pipeline.weights import adapters, bases
from pipeline.weights.interface import Parameters
from pipeline.weights.training import trainer
from pipeline.weights.training.embedded import Embedded
from pipeline.weights.training.trl import Trl
from tests.weights.training.conftest import ROWS

needs_trl = pytest.mark.skipif(find_spec("trl") is None, reason="the extra train is not installed; make setup-trl")
PARAMETERS = Parameters(rank=2, alpha=4, epochs=2, batch=5, max_tokens=120, learning_rate=0.01)


@needs_trl
def test_it_learns_what_the_embedded_trainer_learns(tiny: Path, tmp_path: Path) -> None:
    """The same tokens and the same loss before the first step; and its adapter can be kept, loaded and measured."""
    steps: list[tuple[int, int]] = []
    made = Trl(tiny).train(ROWS, PARAMETERS, tmp_path / "trl.gguf", lambda done, of: steps.append((done, of)))
    ours = Embedded(tiny).train(ROWS, PARAMETERS, tmp_path / "own.gguf", lambda done, of: None)
    assert made.loss_first == pytest.approx(ours.loss_first, rel=1e-5)
    assert made.loss_last < made.loss_first
    assert (made.steps, made.tokens, made.left_out, steps) == (2, ours.tokens, 0, [(1, 2), (2, 2)])
    assert (tmp_path / "trl.peft/adapter_model.safetensors").is_file()
    _says_the_same(tiny, tmp_path / "trl.gguf", tmp_path / "trl.peft")
    sha256 = adapters.put(tmp_path, tmp_path / "trl.gguf", tiny)
    assert adapters.verified(tmp_path, sha256, bases.sha256_of(tiny), tiny).is_file()


def _says_the_same(base: Path, file: Path, folder: Path) -> None:
    """The adapter as GGUF in numpy, and as safetensors in peft: one probability for every token."""
    import numpy as np
    import torch
    from peft import PeftModel

    from pipeline.weights.llama import adapter
    from pipeline.weights.llama.base import read
    from pipeline.weights.llama.passes import Llama
    from pipeline.weights.llama.with_torch import model_of

    frozen, ids = read(base), [5, 17, 200, 3, 90, 41]
    ours = Llama(frozen, adapter.read(file)).log_probabilities(ids, 1)
    model = PeftModel.from_pretrained(model_of(frozen), folder)
    with torch.no_grad():
        theirs = torch.log_softmax(model(input_ids=torch.tensor([ids[:-1]])).logits[0], -1).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.abs(ours - Llama(frozen, None).log_probabilities(ids, 1)).max() > 1e-3


@needs_trl
def test_what_can_not_be_trained_leaves_nothing(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of 0 rows"):
        Trl(tiny).train([], PARAMETERS, tmp_path / "a.gguf", lambda done, of: None)
    wild = replace(PARAMETERS, learning_rate=1e38, epochs=4)
    with pytest.raises(TrainingError, match="learning rate"):
        Trl(tiny).train(ROWS, wild, tmp_path / "a.gguf", lambda done, of: None)
    assert list(tmp_path.iterdir()) == []


@needs_trl
def test_a_row_that_counts_twice_is_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a row has the weight 2\.0"):
        Trl(tiny).train([replace(ROWS[0], weight=2.0)], PARAMETERS, tmp_path / "a.gguf", lambda done, of: None)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pipeline.weights.extras._LARGE", ("no_such_package",))
    with pytest.raises(UsageError, match=r"no_such_package: not installed; next: `make setup-trl`, or .*distillery\[train\]"):
        trainer("trl").train(ROWS, PARAMETERS, tmp_path / "a.gguf", lambda done, of: None)
