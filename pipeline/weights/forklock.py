"""How sure a model is where it must be, and where it may choose: measured token by token over reference solutions.

A lock is a place where the base gives one token 90 % or more: a bracket, a name that was just said. A fork is one where its
entropy is a nat or more and its second token has 10 %: several ways go on from there. The base decides which is which, so that
a model with an adapter is measured at the same places. An adapter that closes the forks has lost what sampling needs, though
pass@1 may stay.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.weights import bases, extras, worker
from pipeline.weights.interface import Row


@dataclass(frozen=True)
class Certainty:
    """Means over places. entropy: in nats; right: the probability of the token that the reference has there."""

    entropy: float
    right: float


@dataclass(frozen=True)
class ForkLock:
    """The base, and the model with the adapter, at the same places; None where there is no place of that kind.

    positions: tokens of answers, of which so many are locks and forks; left_out: rows too long, or with a control token
    """

    positions: int
    locks: int
    forks: int
    left_out: int
    base_at_locks: Certainty | None
    base_at_forks: Certainty | None
    at_locks: Certainty | None
    at_forks: Certainty | None


def measure(adapter: Path | None, rows: Sequence[Row], base: Path | None = None) -> ForkLock:
    """Measures the embedded model with an adapter, a file that was verified just now, or without one.

    Raises UsageError where what it needs is not installed, TrainingError where the process that measures ends early.
    """
    extras.require_small()
    job = {
        "kind": "measure",
        "base": str(bases.named(base)),
        "adapter": None if adapter is None else str(adapter),
        "rows": [asdict(row) for row in rows],
    }
    found = worker.run(job, lambda done, of: None)
    read: dict[str, Any] = {name: Certainty(**held) if isinstance(held, dict) else held for name, held in found.items()}
    return ForkLock(**read)
