"""A model asked with every sampling parameter spelled out.

llama.cpp cuts off unlikely tokens by default (top_k 40, top_p 0.95, min_p 0.05), so a temperature alone says little: everything
is sent, always. A single question with the same seed gets the same answer. Several that are answered at once share batches, and
sums of floats come out in another order: then an answer may differ from one time to the next.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.disk import file_sha256
from pipeline.errors import UsageError
from pipeline.replay import embedded
from pipeline.replay.model import Endpoint, endpoint
from pipeline.replay.prompt import Messages

# Entropies are over so many tokens, the likeliest, with what is left as one more: never above the true ones.
TOP_LOGPROBS = 20
SLOTS = 4
_SLOT_TOKENS = 2048


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. top_k 0 and top_p 1 leave no token out; temperature 0 takes the likeliest, whatever the seed."""

    temperature: float
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 7
    max_tokens: int = 160

    def refuse_odd(self) -> None:
        """Raises UsageError for values that no server would take."""
        if not (0 <= self.temperature <= 10 and 0 < self.top_p <= 1 and self.top_k >= 0 and self.max_tokens > 0):
            raise UsageError(f"{self}: temperature must be 0 to 10, top_p above 0 and up to 1, top_k 0 or more")

    def parameters(self) -> dict[str, Any]:
        """Returns what is sent, in the words of OpenAI's chat format and, beside it, of llama.cpp."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "logprobs": True,
            "top_logprobs": TOP_LOGPROBS,
            "extra_body": {"top_k": self.top_k, "min_p": 0.0, "repeat_penalty": 1.0, "typical_p": 1.0},
        }


@dataclass(frozen=True)
class Sampled:
    """An answer. Tokens are 0 where the server does not count them; entropies (nats, one a token) none where it keeps them."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    latency_ms: int
    entropies: tuple[float, ...]


@dataclass(frozen=True)
class Sampler:
    """A model, ready to be asked.

    weights_sha256: of the embedded weights; None for a model on a server
    beside:         what is sent in every request: the scale of an adapter, no reuse of earlier prompts
    """

    endpoint: Endpoint
    weights_sha256: str | None
    runtime_version: str
    slots: int = 1
    beside: dict[str, Any] = field(default_factory=dict)

    def ask(self, messages: Messages, sampling: Sampling) -> Sampled:
        """Returns one answer. Raises ServerError where there is none."""
        sampling.refuse_odd()
        parameters = sampling.parameters()
        parameters["extra_body"] |= self.beside
        answer, choice = self.endpoint.complete(messages, parameters)
        return Sampled(
            answer.text, answer.prompt_tokens or 0, answer.completion_tokens or 0, answer.latency_ms, _entropies(choice)
        )

    def ask_all(self, jobs: Sequence[tuple[Messages, Sampling]]) -> list[Sampled]:
        """Returns the answers in the order of the questions, several at a time where the model can do that."""
        with ThreadPoolExecutor(max_workers=max(1, self.slots)) as pool:
            try:
                return list(pool.map(lambda job: self.ask(*job), jobs))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


@contextmanager
def model(
    name: str,
    *,
    base_url: str | None = None,
    adapter: Path | None = None,
    timeout: float = 120.0,
    slots: int = SLOTS,
    local_only: bool = False,
) -> Iterator[Sampler]:
    """Yields a model: `embedded`, or one of that name on the server at base_url.

    adapter:    for the embedded model alone, a file that was verified just now; sent with its scale each time
    slots:      so many answers of the embedded model at once
    local_only: refuse a server that is not this machine
    """
    if name != embedded.NAME:
        if adapter is not None:
            raise UsageError(f"an adapter goes with the embedded model, not with {name!r} on a server")
        if base_url is None:
            raise UsageError(f"{name!r} is a model on a server; name that with --base-url URL")
        yield Sampler(endpoint(base_url, name, timeout, local_only=local_only), None, "server")
        return
    scales = [{"id": 0, "scale": 1.0}] if adapter is not None else []
    with embedded.running(timeout, adapter=adapter, slots=slots, context_tokens=_SLOT_TOKENS) as running:
        beside = {"cache_prompt": False} | ({"lora": scales} if scales else {})
        path = embedded.weights()
        assert path is not None
        yield Sampler(running, _weights_sha256(path, path.stat().st_mtime_ns), _runtime(), slots, beside)


def _runtime() -> str:
    return f"xllamacpp {metadata.version('xllamacpp')}"


@cache
def _weights_sha256(path: Path, changed_ns: int) -> str:
    return file_sha256(path)


def _entropies(choice: Any) -> tuple[float, ...]:
    content = getattr(getattr(choice, "logprobs", None), "content", None)
    return tuple(_entropy(token) for token in content) if isinstance(content, list) else ()


def _entropy(token: Any) -> float:
    """Returns the entropy of one token in nats: of the likeliest ones, and of the rest together."""
    held = [getattr(one, "logprob", None) for one in getattr(token, "top_logprobs", None) or []]
    shares = [math.exp(min(0.0, value)) for value in held if isinstance(value, int | float) and math.isfinite(value)]
    shares.append(max(0.0, 1.0 - sum(shares)))
    return -sum(share * math.log(share) for share in shares if share > 0.0)
