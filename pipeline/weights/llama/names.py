"""The same layers in transformers: their names, and the order of the rows that are rotated."""

from typing import Any

from pipeline.weights.llama.base import Shape

# What a layer of GGUF's is called there, below model.layers.<block>.
NAMES = {
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


def named(name: str) -> str:
    """Returns what a weight of a block is called in transformers.

    >>> named("blk.3.attn_q.weight")
    'model.layers.3.self_attn.q_proj.weight'
    """
    _, block, layer, kind = name.split(".")
    return f"model.layers.{block}.{NAMES[layer]}.{kind}"


def split(name: str, rows: Any, shape: Shape) -> Any:
    """rows (out, n), with pairs that are rotated side by side as in GGUF -> halves after each other, as in transformers."""
    heads = _rotated(name, shape)
    return rows.reshape(heads, -1, 2, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape) if heads else rows


def paired(name: str, rows: Any, shape: Shape) -> Any:
    """The way back from `split`."""
    heads = _rotated(name, shape)
    return rows.reshape(heads, 2, -1, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape) if heads else rows


def _rotated(name: str, shape: Shape) -> int:
    """Returns how many heads a layer has whose rows are rotated, 0 for all others."""
    return {"attn_q": shape.heads, "attn_k": shape.kv_heads}.get(name.split(".")[2], 0)
