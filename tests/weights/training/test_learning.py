"""The trainer's own sums, held against what torch made of the same tiny model (tools/gradients.py records it)."""

import json
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="the extra local-train is not installed; make setup-train")
pytest.importorskip("gguf", reason="the extra local-train is not installed; make setup-train")

import numpy as np

from pipeline.weights.interface import Parameters
from pipeline.weights.llama.learning import steps
from pipeline.weights.llama.passes import Llama
from tools import tiny_llama

RECORDED = json.loads((Path(__file__).parent / "torch_tiny.json").read_text(encoding="utf-8"))


def test_gradients_are_those_of_torch(tmp_path: Path) -> None:
    base, adapter, examples = tiny_llama.scene(tiny_llama.write(tmp_path / "tiny.gguf"))
    model, total = Llama(base, adapter), sum(example.weight * example.answered for example in examples)
    loss = sum(part.weight * model.learn(part.ids, part.first, part.weight / total) for part in examples) / total
    assert loss == pytest.approx(RECORDED["losses"][0], rel=1e-6)
    assert adapter.gradients.keys() == RECORDED["gradients"].keys()
    for name, recorded in RECORDED["gradients"].items():
        largest = np.abs(recorded).max()
        assert largest > 1e-4, "a gradient of zero would hold nothing"
        np.testing.assert_allclose(adapter.gradients[name], recorded, rtol=0, atol=2e-5 * largest, err_msg=name)


def test_steps_are_those_of_torch(tmp_path: Path) -> None:
    """Adam, clipping, warm-up and weights, over so many steps that a small mistake in one of them shows."""
    base, adapter, examples = tiny_llama.scene(tiny_llama.write(tmp_path / "tiny.gguf"))
    parameters = Parameters(learning_rate=RECORDED["learning_rate"], epochs=RECORDED["epochs"], batch=len(examples))
    losses = list(steps(Llama(base, adapter), examples, parameters, lambda done, of: None))
    assert losses == pytest.approx(RECORDED["losses"], rel=1e-4)
    assert losses[-1] < losses[0] * 0.75
