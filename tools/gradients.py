"""Records what torch makes of the tiny model: `python -m tools.gradients FILE`, where torch and transformers are installed.

The model is transformers' own Llama, the gradients are autograd's, and the steps those of torch's Adam with its own clipping: a
second implementation of everything that pipeline/weights/llama works out by hand. `make gradients` installs what it needs.
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from pipeline.weights.llama.adapter import Adapter
from pipeline.weights.llama.base import Base
from pipeline.weights.llama.learning import Example
from pipeline.weights.llama.names import named, paired, split
from pipeline.weights.llama.with_torch import model_of
from tools import tiny_llama
from tools.tiny_llama import ALPHA, RANK

EPOCHS, LEARNING_RATE = 12, 0.02


@dataclass(frozen=True)
class Adapted:
    """What is beside a linear layer, as torch's tensors; rows are in the order of transformers."""

    a: Any
    b: Any

    def add_to(self, module: Any, inputs: tuple[Any], output: Any) -> Any:
        """A hook: what the layer gives, and what the adapter adds."""
        return output + ALPHA / RANK * (inputs[0] @ self.a.T @ self.b.T)


def built(base: Base, adapter: Adapter) -> tuple[Any, dict[str, Adapted]]:
    """Returns transformers' model with the weights of a base, and its adapted layers by GGUF's names."""
    model, adapted = model_of(base), dict[str, Adapted]()
    model.requires_grad_(False)
    for name in base.linear:
        values = adapter.values[f"{name}.lora_a"], split(name, adapter.values[f"{name}.lora_b"], base.shape)
        adapted[name] = Adapted(*(torch.tensor(np.ascontiguousarray(value), requires_grad=True) for value in values))
        layer = model.get_submodule(named(name).removesuffix(".weight"))
        layer.register_forward_hook(adapted[name].add_to)
    return model, adapted


def loss_of(model: Any, examples: list[Example]) -> Any:
    """Returns nats per token, by weight."""
    total = sum(example.weight * example.answered for example in examples)
    parts = []
    for example in examples:
        logits = model(input_ids=torch.tensor([example.ids])).logits[0, example.first - 1 : -1]
        wanted = torch.tensor(example.ids[example.first :])
        parts.append(example.weight * functional.cross_entropy(logits, wanted, reduction="sum"))
    return sum(parts) / total


def recorded(base: Base, adapter: Adapter, examples: list[Example]) -> dict[str, Any]:
    """Returns the first loss and gradients, and the losses of some steps."""
    model, adapted = built(base, adapter)
    values = [value for layer in adapted.values() for value in (layer.a, layer.b)]
    adam = torch.optim.Adam(values, lr=LEARNING_RATE)
    warm = max(1, EPOCHS // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: min(1.0, (step + 1) / warm) * (1 - step / EPOCHS))
    losses, gradients = list[float](), dict[str, Any]()
    for _ in range(EPOCHS):
        adam.zero_grad()
        loss = loss_of(model, examples)
        loss.backward()
        for name, layer in adapted.items() if not losses else ():
            gradients[f"{name}.lora_a"] = rounded(layer.a.grad)
            gradients[f"{name}.lora_b"] = rounded(paired(name, layer.b.grad, base.shape))
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(values, 1.0)
        adam.step()
        schedule.step()
    return {"learning_rate": LEARNING_RATE, "epochs": EPOCHS, "losses": losses, "gradients": gradients}


def rounded(values: Any) -> list[list[float]]:
    """Returns a matrix with seven digits per number."""
    return [[float(f"{value:.6e}") for value in row] for row in values.tolist()]


def main() -> int:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        scene = tiny_llama.scene(tiny_llama.write(Path(folder) / "tiny.gguf"))
        made = {"torch": torch.__version__.partition("+")[0], **recorded(*scene)}
    Path(sys.argv[1]).write_text(json.dumps(made) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
