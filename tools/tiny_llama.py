"""A llama model of 16 numbers per token, from a seed: what tests train in milliseconds, and torch was recorded with."""

from pathlib import Path

import gguf
import numpy as np

from pipeline.weights.llama.adapter import Adapter, fresh
from pipeline.weights.llama.base import Base, read
from pipeline.weights.llama.learning import Example
from pipeline.weights.llama.words import END, START

BLOCKS, HEADS, KV_HEADS, EMBEDDING, HIDDEN, CONTEXT = 2, 2, 1, 16, 24, 256
THETA, EPSILON = 10_000.0, 1e-5
RANK, ALPHA = 2, 4
_TEMPLATE = "".join(
    (
        "{% for message in messages %}",
        "{% if loop.first and messages[0]['role'] != 'system' %}",
        f"{{{{ '{START}system\\nYou help.{END}\\n' }}}}{{% endif %}}",
        f"{{{{ '{START}' + message['role'] + '\\n' + message['content'] + '{END}' + '\\n' }}}}{{% endfor %}}",
        f"{{% if add_generation_prompt %}}{{{{ '{START}assistant\\n' }}}}{{% endif %}}",
    )
)
_MERGES = ("Ġ t", "h e", "Ġt he", "r e", "o n")


def signs() -> list[str]:
    """Returns GPT-2's 256 signs for bytes."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return [chr(byte) if byte in seen else chr(256 + hidden.index(byte)) for byte in range(256)]


def write(path: Path, *, seed: int = 1, architecture: str = "llama") -> Path:
    """Writes the model as GGUF, and returns where."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(BLOCKS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(THETA)
    writer.add_layer_norm_rms_eps(EPSILON)
    tokens = ["<|endoftext|>", START, END, *signs(), *(merge.replace(" ", "") for merge in _MERGES)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_token_merges(_MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(_TEMPLATE)
    for name, value in _weights(len(tokens), seed).items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _weights(vocabulary: int, seed: int) -> dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"]:
    draw, width = np.random.default_rng(seed), EMBEDDING // HEADS
    shapes = {
        "attn_q": (EMBEDDING, EMBEDDING),
        "attn_k": (KV_HEADS * width, EMBEDDING),
        "attn_v": (KV_HEADS * width, EMBEDDING),
        "attn_output": (EMBEDDING, EMBEDDING),
        "ffn_gate": (HIDDEN, EMBEDDING),
        "ffn_up": (HIDDEN, EMBEDDING),
        "ffn_down": (EMBEDDING, HIDDEN),
    }
    found = {"token_embd.weight": draw.normal(0, 0.5, (vocabulary, EMBEDDING))}
    for block in range(BLOCKS):
        found |= {f"blk.{block}.{name}.weight": draw.normal(0, 0.3, shape) for name, shape in shapes.items()}
        found |= {f"blk.{block}.{name}.weight": draw.normal(1, 0.1, EMBEDDING) for name in ("attn_norm", "ffn_norm")}
    found["output_norm.weight"] = draw.normal(1, 0.1, EMBEDDING)
    return {name: value.astype(np.float32) for name, value in found.items()}


def scene(path: Path) -> tuple[Base, Adapter, list[Example]]:
    """Returns the model in memory, an adapter that already changes it, and conversations to learn."""
    base, draw = read(path), np.random.default_rng(2)
    adapter = fresh(base, RANK, ALPHA, seed=3)
    for name, value in adapter.values.items():
        if name.endswith("lora_b"):
            value += draw.normal(0, 0.1, value.shape).astype(np.float32)
    lengths = ((12, 5, 1.0), (20, 11, 0.5), (7, 1, 2.0))
    vocabulary = len(base.embeddings)
    return base, adapter, [Example(draw.integers(0, vocabulary, n).tolist(), first, weight) for n, first, weight in lengths]
