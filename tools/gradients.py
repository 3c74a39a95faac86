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
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline.weights.llama.adapter import Adapter
from pipeline.weights.llama.base import Base
from pipeline.weights.llama.learning import Example
from tools import tiny_llama
from tools.tiny_llama import ALPHA, EMBEDDING, HEADS, HIDDEN, KV_HEADS, RANK, THETA

EPOCHS, LEARNING_RATE = 12, 0.02
_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_ROTATED = {"attn_q": HEADS, "attn_k": KV_HEADS}


@dataclass(frozen=True)
class Adapted:
    """What is beside a linear layer, as torch's tensors; rows are in the order of transformers."""

    a: Any
    b: Any

    def add_to(self, module: Any, inputs: tuple[Any], output: Any) -> Any:
        """A hook: what the layer gives, and what the adapter adds."""
        return output + ALPHA / RANK * (inputs[0] @ self.a.T @ self.b.T)


def split(rows: Any, heads: int | None) -> Any:
    """Rows of heads as transformers has them, halves after each other, from GGUF's, pair by pair."""
    if heads is None:
        return rows
    return rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def paired(rows: Any, heads: int | None) -> Any:
    """The way back from `split`."""
    if heads is None:
        return rows
    return rows.reshape(heads, 2, -1, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def built(base: Base, adapter: Adapter) -> tuple[Any, dict[str, Adapted]]:
    """Returns transformers' model with the weights of a base, and its adapted layers by GGUF's names."""
    config = LlamaConfig(
        vocab_size=len(base.embeddings),
        hidden_size=EMBEDDING,
        intermediate_size=HIDDEN,
        num_hidden_layers=tiny_llama.BLOCKS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        rms_norm_eps=tiny_llama.EPSILON,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": THETA},
        attn_implementation="eager",
    )
    model: Any = LlamaForCausalLM(config)
    state = {"model.embed_tokens.weight": base.embeddings, "model.norm.weight": base.weights["output_norm.weight"]}
    adapted: dict[str, Adapted] = {}
    for name, weight in base.weights.items():
        if name.startswith("blk."):
            _, block, layer, _ = name.split(".")
            state[f"model.layers.{block}.{_NAMES[layer]}.weight"] = split(weight, _ROTATED.get(layer))
    state["lm_head.weight"] = base.embeddings
    model.load_state_dict({name: torch.tensor(np.ascontiguousarray(value)) for name, value in state.items()})
    model.requires_grad_(False)
    for name in base.linear:
        _, block, layer, _ = name.split(".")
        tensors = (adapter.values[f"{name}.lora_a"], split(adapter.values[f"{name}.lora_b"], _ROTATED.get(layer)))
        adapted[name] = Adapted(*(torch.tensor(np.ascontiguousarray(value), requires_grad=True) for value in tensors))
        model.get_submodule(f"model.layers.{block}.{_NAMES[layer]}").register_forward_hook(adapted[name].add_to)
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
            gradients[f"{name}.lora_b"] = rounded(paired(layer.b.grad, _ROTATED.get(name.split(".")[2])))
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
    Path(sys.argv[1]).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
