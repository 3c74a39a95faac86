"""One pass forward through a llama model, and one back to its adapter alone: the base is frozen, nothing else has a gradient.

T tokens, d embedding, H heads, K heads of keys and values, D = d / H. Each function returns what it makes, and the function
that takes the gradient of that back to its own inputs. float32 throughout.

RMSNorm: arXiv 1910.07467; rotation: 2104.09864; SwiGLU: 2002.05202; shared keys and values: 2305.13245.
"""

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.weights.llama.adapter import Adapter
from pipeline.weights.llama.base import Array, Base

Back = Callable[[Array], Array]
_NEVER = np.float32(-1e30)


def norm(x: Array, gain: Array, epsilon: float) -> tuple[Array, Back]:
    """x (T, d), gain (d,) -> (T, d), each row at a mean square of one, times the gain."""
    scale = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(epsilon))

    def back(dy: Array) -> Array:
        g = dy * gain
        out: Array = scale * g - x * scale**3 * (g * x).mean(-1, keepdims=True)
        return out

    return x * scale * gain, back


def angles(length: int, width: int, theta: float) -> tuple[Array, Array]:
    """cos and sin of how far each pair of a head is turned at each position: (T, 1, D / 2)."""
    turned = np.arange(length)[:, None] * theta ** (-np.arange(0, width, 2) / width)
    return np.cos(turned).astype(np.float32)[:, None], np.sin(turned).astype(np.float32)[:, None]


def rotate(x: Array, cos: Array, sin: Array) -> Array:
    """x (T, heads, D), turned pair by pair; with -sin, turned back."""
    even, odd = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = even * cos - odd * sin
    out[..., 1::2] = even * sin + odd * cos
    return out


def attend(q: Array, k: Array, v: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array, Array]]]:
    """q (T, H, D), k and v (T, K, D) -> (T, H * D): each position looks at itself and what came before it."""
    length, heads, width = q.shape
    kv_heads = k.shape[1]
    shared = heads // kv_heads
    scale = np.float32(width**-0.5)
    q = q.reshape(length, kv_heads, shared, width).transpose(1, 2, 0, 3)
    k, v = k.transpose(1, 0, 2)[:, None], v.transpose(1, 0, 2)[:, None]
    a = q @ k.swapaxes(-1, -2) * scale + np.triu(np.full((length, length), _NEVER, np.float32), 1)
    a = np.exp(a - a.max(-1, keepdims=True))
    a /= a.sum(-1, keepdims=True)

    def back(dy: Array) -> tuple[Array, Array, Array]:
        do = dy.reshape(length, kv_heads, shared, width).transpose(1, 2, 0, 3)
        da = do @ v.swapaxes(-1, -2)
        da = a * (da - (da * a).sum(-1, keepdims=True)) * scale
        dq = (da @ k).transpose(2, 0, 1, 3).reshape(length, heads, width)
        dk = (da.swapaxes(-1, -2) @ q).sum(1).transpose(1, 0, 2)
        dv = (a.swapaxes(-1, -2) @ do).sum(1).transpose(1, 0, 2)
        return dq, np.ascontiguousarray(dk), np.ascontiguousarray(dv)

    return (a @ v).transpose(2, 0, 1, 3).reshape(length, heads * width), back


def gated(gate: Array, up: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
    """gate and up (T, hidden) -> silu(gate) * up."""
    # As tanh: a gate far below zero would overflow exp.
    sigmoid = np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * gate))

    def back(dy: Array) -> tuple[Array, Array]:
        return dy * up * (sigmoid + gate * sigmoid * (1 - sigmoid)), dy * gate * sigmoid

    return gate * sigmoid * up, back


class Llama:
    """A base with an adapter, or without."""

    def __init__(self, base: Base, adapter: Adapter | None) -> None:
        self.base, self.adapter = base, adapter

    def linear(self, name: str, x: Array) -> tuple[Array, Back]:
        """x (T, in) -> (T, out). Going back adds to the gradients of the adapter's A and B."""
        weight, held = self.base.weights[name], self.adapter
        if held is None:
            return x @ weight.T, lambda dy: dy @ weight
        a, b, scale = held.values[f"{name}.lora_a"], held.values[f"{name}.lora_b"], np.float32(held.scale)
        low = x @ a.T

        def back(dy: Array) -> Array:
            dlow = scale * (dy @ b)
            held.gradients[f"{name}.lora_b"] += scale * (dy.T @ low)
            held.gradients[f"{name}.lora_a"] += dlow.T @ x
            out: Array = dy @ weight + dlow @ a
            return out

        return x @ weight.T + scale * (low @ b.T), back

    def attention(self, block: int, x: Array, cos: Array, sin: Array) -> tuple[Array, Back]:
        """x (T, d) -> (T, d), the first half of a block: x and what its positions took from each other."""
        shape, layer, length = self.base.shape, f"blk.{block}.", len(x)
        h, norm_back = norm(x, self.base.weights[f"{layer}attn_norm.weight"], shape.epsilon)
        q, q_back = self.linear(f"{layer}attn_q.weight", h)
        k, k_back = self.linear(f"{layer}attn_k.weight", h)
        v, v_back = self.linear(f"{layer}attn_v.weight", h)
        turned = rotate(q.reshape(length, shape.heads, shape.width), cos, sin)
        keys = rotate(k.reshape(length, shape.kv_heads, shape.width), cos, sin)
        mixed, mixed_back = attend(turned, keys, v.reshape(length, shape.kv_heads, shape.width))
        out, out_back = self.linear(f"{layer}attn_output.weight", mixed)

        def back(dy: Array) -> Array:
            dq, dk, dv = mixed_back(out_back(dy))
            dh = q_back(rotate(dq, cos, -sin).reshape(length, -1)) + k_back(rotate(dk, cos, -sin).reshape(length, -1))
            return dy + norm_back(dh + v_back(dv.reshape(length, -1)))

        return x + out, back

    def feed_forward(self, block: int, x: Array) -> tuple[Array, Back]:
        """x (T, d) -> (T, d), the second half of a block."""
        layer = f"blk.{block}."
        h, norm_back = norm(x, self.base.weights[f"{layer}ffn_norm.weight"], self.base.shape.epsilon)
        gate, gate_back = self.linear(f"{layer}ffn_gate.weight", h)
        up, up_back = self.linear(f"{layer}ffn_up.weight", h)
        hidden, hidden_back = gated(gate, up)
        down, down_back = self.linear(f"{layer}ffn_down.weight", hidden)

        def back(dy: Array) -> Array:
            dgate, dup = hidden_back(down_back(dy))
            return dy + norm_back(gate_back(dgate) + up_back(dup))

        return x + down, back

    def log_probabilities(self, ids: Sequence[int], first: int, backs: list[Back] | None = None) -> Array:
        """Returns log p of every token of the vocabulary at the places of `ids[first:]`, as (T - first, vocabulary).

        backs: is given the way back from the logits, last step last, where the caller wants gradients
        """
        shape, weights = self.base.shape, self.base.weights
        x = self.base.embeddings[np.asarray(ids[:-1])]
        cos, sin = angles(len(x), shape.width, shape.theta)
        for block in range(shape.blocks):
            x, attention_back = self.attention(block, x, cos, sin)
            x, forward_back = self.feed_forward(block, x)
            if backs is not None:
                backs += [attention_back, forward_back]
        last, norm_back = norm(x[first - 1 :], weights["output_norm.weight"], shape.epsilon)

        def head_back(dy: Array) -> Array:
            dx = np.zeros_like(x)
            dx[first - 1 :] = norm_back(dy @ self.base.output)
            return dx

        if backs is not None:
            backs.append(head_back)
        logits: Array = last @ self.base.output.T
        logits -= logits.max(-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        return logits

    def learn(self, ids: Sequence[int], first: int, weight: float) -> float:
        """Adds the gradient of `weight` times the loss of `ids[first:]` to the adapter's, and returns the loss.

        The loss is the sum of -log p over these tokens, in nats.
        """
        backs: list[Back] = []
        logs = self.log_probabilities(ids, first, backs)
        places, wanted = np.arange(len(logs)), np.asarray(ids[first:])
        loss = -float(logs[places, wanted].sum(dtype=np.float64))
        gradient = np.exp(logs)
        gradient[places, wanted] -= 1
        gradient *= np.float32(weight)
        while backs:
            gradient = backs.pop()(gradient)
        return loss
