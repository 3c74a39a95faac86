"""A base as transformers' Llama, and an adapter of peft's as one of ours: the extra `train` alone imports this."""

from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline.weights.llama.adapter import Adapter
from pipeline.weights.llama.base import Base
from pipeline.weights.llama.names import named, paired, split


def model_of(base: Base) -> Any:
    """Returns a base as a model of transformers, in float32; nothing is fetched."""
    shape, weights = base.shape, base.weights
    config = LlamaConfig(
        vocab_size=len(base.embeddings),
        hidden_size=shape.embedding,
        intermediate_size=len(weights["blk.0.ffn_up.weight"]),
        num_hidden_layers=shape.blocks,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.context,
        rms_norm_eps=shape.epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": shape.theta},
        tie_word_embeddings=base.output is base.embeddings,
        attn_implementation="eager",
        **{f"{kind}_token_id": base.fields.get(f"tokenizer.ggml.{kind}_token_id") for kind in ("bos", "eos")},
    )
    model: Any = LlamaForCausalLM(config)
    state = {"model.embed_tokens.weight": base.embeddings, "lm_head.weight": base.output}
    state["model.norm.weight"] = weights["output_norm.weight"]
    state |= {named(name): split(name, value, shape) for name, value in weights.items() if name.startswith("blk.")}
    model.load_state_dict({name: torch.tensor(np.ascontiguousarray(value)) for name, value in state.items()})
    return model


def adapter_of(base: Base, alpha: float, tensors: dict[str, Any]) -> Adapter:
    """Returns an adapter from the tensors of one of peft's, by the names that its file has for them."""
    values = {}
    for name in base.linear:
        layer = f"base_model.model.{named(name).removesuffix('.weight')}"
        a, b = (tensors[f"{layer}.lora_{half}.weight"].float().cpu().numpy() for half in "AB")
        values[f"{name}.lora_a"], values[f"{name}.lora_b"] = a, np.ascontiguousarray(paired(name, b, base.shape))
    return Adapter(alpha, values)
