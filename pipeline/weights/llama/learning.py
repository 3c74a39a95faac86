"""LoRA SFT: rows become tokens, and an adapter learns the answers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import TrainingError, UsageError
from pipeline.weights.interface import Parameters, Progress, Row
from pipeline.weights.llama import adapter, base
from pipeline.weights.llama.adam import Adam, rate
from pipeline.weights.llama.passes import Llama
from pipeline.weights.llama.words import Vocabulary


@dataclass(frozen=True)
class Example:
    """A conversation as tokens. first: where the answer begins; weight: of each of its tokens."""

    ids: list[int]
    first: int
    weight: float

    @property
    def answered(self) -> int:
        """Returns how many tokens the answer has."""
        return len(self.ids) - self.first


def examples_of(vocabulary: Vocabulary, rows: Sequence[Row], max_tokens: int) -> list[Example | None]:
    """Returns an example for each row, None where it is to be left out: too long, no weight, or a control token in its text."""
    found: list[Example | None] = []
    for row in rows:
        made = vocabulary.conversation(row.prompt, row.answer) if row.weight > 0 else None
        found.append(Example(*made, row.weight) if made is not None and len(made[0]) <= max_tokens else None)
    return found


def learnable(frozen: base.Base, rows: Sequence[Row], parameters: Parameters) -> list[Example]:
    """Returns the examples of the rows that can be learned. Raises UsageError where there is none."""
    limit = min(parameters.max_tokens, frozen.shape.context)
    examples = [example for example in examples_of(Vocabulary.of(frozen.fields), rows, limit) if example is not None]
    if not examples:
        raise UsageError(f"none of {len(rows)} rows can be trained on: one must fit in {limit} tokens, without a control token")
    return examples


def numbers_of(losses: Sequence[float], rows: Sequence[Row], examples: Sequence[Example], epochs: int) -> dict[str, Any]:
    """Returns the numbers of Trained."""
    return {
        "loss_first": losses[0],
        "loss_last": losses[-1],
        "steps": len(losses),
        "tokens": epochs * sum(example.answered for example in examples),
        "left_out": len(rows) - len(examples),
    }


def train(
    path: Path, base_sha256: str, rows: Sequence[Row], parameters: Parameters, out: Path, progress: Progress
) -> dict[str, Any]:
    """Trains on a base, writes the adapter, and returns the numbers of Trained."""
    frozen = base.read(path)
    examples = learnable(frozen, rows, parameters)
    learner = adapter.fresh(frozen, parameters.rank, parameters.alpha, parameters.seed)
    losses = list(steps(Llama(frozen, learner), examples, parameters, progress))
    adapter.write(learner, out, base_sha256)
    return numbers_of(losses, rows, examples, parameters.epochs)


def steps(model: Llama, examples: Sequence[Example], parameters: Parameters, progress: Progress) -> Iterator[float]:
    """Learns, one batch at a time, and yields the loss of each before it was learned from: nats per token, by weight."""
    learner = model.adapter
    if learner is None:
        raise ValueError("a model without an adapter learns nothing")
    optimizer, order = Adam(learner.values), np.random.default_rng(parameters.seed)
    all_steps, done = parameters.epochs * -(-len(examples) // parameters.batch), 0
    for _ in range(parameters.epochs):
        shuffled = [examples[place] for place in order.permutation(len(examples))]
        for start in range(0, len(shuffled), parameters.batch):
            batch = shuffled[start : start + parameters.batch]
            total = sum(example.weight * example.answered for example in batch)
            parts = [model.learn(part.ids, part.first, part.weight / total) * part.weight for part in batch]
            optimizer.step(learner.gradients, rate(parameters.learning_rate, done, all_steps))
            done += 1
            loss = sum(parts) / total
            if not math.isfinite(loss):
                raise TrainingError(f"step {done} of {all_steps}: the loss is {loss}; a smaller learning rate may help")
            progress(done, all_steps)
            yield loss
