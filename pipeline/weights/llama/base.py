"""A frozen base: the weights of a GGUF file as float32, its shape, and its vocabulary.

The file is never written. Weights stay in GGUF's own layout (rows of q and k interleaved for rotation), so an adapter trained
on them needs no conversion.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import gguf
import numpy as np
import numpy.typing as npt

from pipeline.errors import UsageError
from pipeline.weights import header
from pipeline.weights.header import ARCHITECTURE

Array: TypeAlias = npt.NDArray[np.float32]
# The linear layers of a block, all of which an adapter has.
LINEAR = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


@dataclass(frozen=True)
class Shape:
    """How a model is built. width: of one head; theta, epsilon: of rotation and norm; context: tokens it can hold."""

    blocks: int
    heads: int
    kv_heads: int
    embedding: int
    theta: float
    epsilon: float
    context: int

    @property
    def width(self) -> int:
        return self.embedding // self.heads


@dataclass(frozen=True)
class Base:
    """A base in memory. weights: by GGUF's names, matrices as (out, in); fields: all else that the file says."""

    path: Path
    shape: Shape
    weights: dict[str, Array]
    fields: dict[str, Any]

    @property
    def embeddings(self) -> Array:
        """One row per token: (vocabulary, embedding)."""
        return self.weights["token_embd.weight"]

    @property
    def output(self) -> Array:
        """What turns the last hidden state into logits, (vocabulary, embedding): often the embeddings once more."""
        return self.weights.get("output.weight", self.embeddings)

    @property
    def linear(self) -> dict[str, tuple[int, int]]:
        """The layers that an adapter has, each with its (out, in)."""
        names = (f"blk.{block}.{layer}.weight" for block in range(self.shape.blocks) for layer in LINEAR)
        return {name: self.weights[name].shape for name in names}


def read(path: Path) -> Base:
    """Reads a base. Raises UsageError for a file of another architecture, or with weights that a plain llama does not have."""
    said = header.read_base(path)
    fields, data = said.fields, np.memmap(path, np.uint8, "r")
    architecture = fields.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise UsageError(f"{path}: a base of the architecture {architecture}; only {ARCHITECTURE} can be trained here")
    shape = _shape(fields)
    weights = {tensor.name: _floats(data, tensor) for tensor in said.tensors}
    base = Base(path, shape, weights, fields)
    _refuse_odd(base)
    return base


def _shape(fields: dict[str, Any]) -> Shape:
    def said(name: str) -> Any:
        return fields[f"{ARCHITECTURE}.{name}"]

    return Shape(
        blocks=int(said("block_count")),
        heads=int(said("attention.head_count")),
        kv_heads=int(said("attention.head_count_kv")),
        embedding=int(said("embedding_length")),
        theta=float(said("rope.freq_base")),
        epsilon=float(said("attention.layer_norm_rms_epsilon")),
        context=int(said("context_length")),
    )


def _floats(data: Any, tensor: header.Tensor) -> Array:
    kind = gguf.GGMLQuantizationType(tensor.kind)
    shape = gguf.quant_shape_to_byte_shape(tensor.shape, kind) if kind != gguf.GGMLQuantizationType.F32 else (*tensor.shape, 4)
    packed = data[tensor.offset : tensor.offset + int(np.prod(shape))].reshape(shape)
    if kind == gguf.GGMLQuantizationType.F32:
        return packed.view(np.float32).reshape(tensor.shape)
    return gguf.dequantize(packed, kind).astype(np.float32, copy=False)


def _refuse_odd(base: Base) -> None:
    """Biases, scaled rotation and experts would be ignored."""
    known = {"token_embd.weight", "output.weight", "output_norm.weight"}
    known |= {
        f"blk.{block}.{layer}.weight" for block in range(base.shape.blocks) for layer in (*LINEAR, "attn_norm", "ffn_norm")
    }
    odd = sorted(base.weights.keys() - known) + sorted(name for name in base.fields if ".rope.scaling." in name)
    missing = sorted(known - {"output.weight"} - base.weights.keys())
    if odd or missing:
        raise UsageError(f"{base.path}: not a plain llama model: {', '.join([*odd, *missing][:5])}; it can't be trained here")
