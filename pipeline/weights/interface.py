"""What every trainer takes and gives."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import UsageError

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Row:
    """A question and the answer to learn. weight: how much the answer counts among others; 0 leaves it out."""

    prompt: str
    answer: str
    weight: float = 1.0


@dataclass(frozen=True)
class Parameters:
    """How to train. max_tokens: of a whole conversation; a longer row is left out, never cut."""

    rank: int = 8
    alpha: int = 16
    learning_rate: float = 5e-4
    epochs: int = 1
    batch: int = 4
    max_tokens: int = 160
    seed: int = 7

    def refuse_odd(self) -> None:
        """Raises UsageError for values with which nothing can be learned."""
        least = {"rank": 1, "alpha": 1, "epochs": 1, "batch": 1, "max_tokens": 1, "seed": 0}
        held: dict[str, Any] = asdict(self)
        for name, lowest in least.items():
            if held[name] < lowest:
                raise UsageError(f"{name} is {held[name]}; it must be at least {lowest}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UsageError(f"learning_rate is {self.learning_rate}; it must be a number above 0")


@dataclass(frozen=True)
class Trained:
    """What came of it.

    file:        the adapter as GGUF, whole and on disk
    loss_first:  nats per token of the first step's batch, before it learned from it; loss_last: of the last step's
    tokens:      of answers, counted each time they were learned from
    left_out:    rows too long, without weight, or with a control token in their text
    """

    file: Path
    loss_first: float
    loss_last: float
    steps: int
    tokens: int
    left_out: int


class Trainer(Protocol):
    """Makes an adapter from rows."""

    @property
    def name(self) -> str: ...

    def train(self, rows: Sequence[Row], parameters: Parameters, out: Path, progress: Progress) -> Trained:
        """Trains, and writes `out` whole or not at all. progress: called with the steps done and all steps.

        Raises UsageError where nothing can be trained, TrainingError where training failed, OSError where `out` can't be
        written.
        """
        ...
