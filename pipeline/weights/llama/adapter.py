"""A LoRA adapter (Hu et al., arXiv 2106.09685) over all linear layers: what learns, and the GGUF file that holds it."""

from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np

from pipeline.weights import header
from pipeline.weights.header import ALPHA_KEY, ARCHITECTURE, BASE_KEY, LORA, TYPE_KEY
from pipeline.weights.llama.base import Array, Base


@dataclass(frozen=True)
class Adapter:
    """Two thin matrices per layer W (out, in): A (rank, in) and B (out, rank), so that W + alpha / rank * B @ A works.

    values, gradients: by GGUF's names, such as blk.0.attn_q.weight.lora_a
    """

    alpha: float
    values: dict[str, Array]
    gradients: dict[str, Array] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        return int(next(iter(self.values.values())).shape[0])

    @property
    def scale(self) -> float:
        return self.alpha / self.rank


def fresh(base: Base, rank: int, alpha: float, seed: int) -> Adapter:
    """Returns an adapter that changes nothing yet: A uniform within 1 / sqrt(in), as peft draws it, and B zero."""
    draw, values = np.random.default_rng(seed), dict[str, Array]()
    for name, (outs, ins) in base.linear.items():
        bound = ins**-0.5
        values[f"{name}.lora_a"] = draw.uniform(-bound, bound, (rank, ins)).astype(np.float32)
        values[f"{name}.lora_b"] = np.zeros((outs, rank), np.float32)
    return Adapter(alpha, values, {name: np.zeros_like(value) for name, value in values.items()})


def write(adapter: Adapter, path: Path, base_sha256: str) -> None:
    """Writes an adapter as llama.cpp loads it, with the hash of its base: the same bytes for the same values.

    Raises OSError where not all of it could be written.
    """
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(TYPE_KEY, LORA)
    writer.add_float32(ALPHA_KEY, adapter.alpha)
    writer.add_string(BASE_KEY, base_sha256)
    for name, value in sorted(adapter.values.items()):
        writer.add_tensor(name, np.ascontiguousarray(value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    # numpy may say nothing where a disk is full, and leave the end of a file out.
    if not _holds(path, adapter):
        raise OSError("what was written is not what is there")


def read(path: Path) -> Adapter:
    """Reads an adapter. Raises header.BrokenError where it is not whole."""
    said, data = header.read(path), np.fromfile(path, np.uint8)
    floats = {
        tensor.name: data[tensor.offset : tensor.offset + 4 * tensor.numbers].view(np.float32).reshape(tensor.shape)
        for tensor in said.tensors
    }
    return Adapter(said.fields[ALPHA_KEY], floats)


def _holds(path: Path, adapter: Adapter) -> bool:
    try:
        held = read(path).values
    except header.BrokenError:
        return False
    return held.keys() == adapter.values.keys() and all(np.array_equal(held[name], adapter.values[name]) for name in held)


def not_finite(adapter: Adapter) -> str | None:
    """Returns the first tensor with a number that is not finite; None where all are."""
    return next((name for name, value in sorted(adapter.values.items()) if not np.isfinite(value).all()), None)
