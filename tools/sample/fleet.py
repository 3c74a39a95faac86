"""The models that the company runs, and the telemetry that their calls leave behind."""

from dataclasses import dataclass
from random import Random

Row = dict[str, object]


@dataclass(frozen=True)
class Model:
    """A model as the traces name it; prices in dollars per million tokens, zero on own cards."""

    name: str
    provider: str
    share: int
    tokens_per_s: float
    price_in: float
    price_out: float
    styles: tuple[str, ...]


FLEET = (
    Model("qwen3-coder:480b", "ollama-cloud", 30, 62.0, 0.35, 1.4, ("bullets", "headed", "prose")),
    Model("gpt-oss:120b", "vllm", 24, 118.0, 0.0, 0.0, ("numbered", "terse", "headed")),
    Model("deepseek-v3.1:671b", "openrouter", 18, 41.0, 0.27, 1.0, ("prose", "numbered")),
    Model("kimi-k2:1t", "openrouter", 12, 35.0, 0.5, 2.4, ("prose", "bullets")),
    Model("glm-4.6", "together", 9, 54.0, 0.45, 1.9, ("headed", "bullets")),
    Model("devstral-small:24b", "ollama", 7, 46.0, 0.0, 0.0, ("terse", "prose")),
)

_WEIGHTS = [model.share for model in FLEET]


def draw_model(rng: Random) -> Model:
    """One of the fleet, by its share of the calls."""
    return rng.choices(FLEET, weights=_WEIGHTS)[0]


def sign(row: Row, model: Model, rng: Random) -> None:
    """Adds model and provider as the writers do: older ones leave out the provider, a few the model too."""
    luck = rng.random()
    if luck < 0.03:
        return
    row["model"] = model.name
    if luck > 0.1:
        row["provider"] = model.provider


def measure(row: Row, model: Model, text: str, rng: Random, share: float = 0.7) -> None:
    """Adds latency, tokens and cost to the given share of rows; they fit the length of the text."""
    if rng.random() > share:
        return
    prompt_tokens = rng.randint(900, 14_000)
    completion_tokens = len(text) // 4 + rng.randint(8, 400)
    seconds = completion_tokens / model.tokens_per_s * rng.uniform(0.8, 1.7) + prompt_tokens / 6000 + 0.3
    row["latency_ms"] = int(seconds * 1000)
    row["prompt_tokens"] = prompt_tokens
    row["completion_tokens"] = completion_tokens
    if rng.random() < 0.9:
        cost = (prompt_tokens * model.price_in + completion_tokens * model.price_out) / 1e6
        row["cost_usd"] = round(cost, 6)
