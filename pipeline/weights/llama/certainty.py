"""Entropies of a model at the locks and forks of its base (see pipeline/weights/forklock.py)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.weights.interface import Progress, Row
from pipeline.weights.llama import adapter, base
from pipeline.weights.llama.base import Array
from pipeline.weights.llama.learning import examples_of
from pipeline.weights.llama.passes import Llama
from pipeline.weights.llama.words import Vocabulary

LOCK_SHARE, FORK_NATS, FORK_SECOND_SHARE = 0.9, 1.0, 0.1
# A longer row takes more memory than training does.
_MOST_TOKENS = 1024


class Means:
    """Sums up entropies and probabilities of the right token, over places of one kind."""

    def __init__(self) -> None:
        self.places, self._entropy, self._right = 0, 0.0, 0.0

    def add(self, entropies: Array, right: Array) -> None:
        self.places += len(entropies)
        self._entropy += float(entropies.sum(dtype=np.float64))
        self._right += float(right.sum(dtype=np.float64))

    def found(self) -> dict[str, float] | None:
        """Returns the means; None where there was no place."""
        if not self.places:
            return None
        return {"entropy": self._entropy / self.places, "right": self._right / self.places}


def entropies(logs: Array) -> Array:
    """log p (places, vocabulary) -> nats (places,). A token without any probability adds nothing."""
    return -(np.exp(logs) * np.maximum(logs, np.float32(-1e30))).sum(-1)


def positions(logs: Array) -> tuple[Any, Any]:
    """log p of the base (places, vocabulary) -> which places are locks, and which are forks: two of (places,)."""
    second, first = np.exp(np.partition(logs, -2, -1)[:, -2:]).T
    return first >= LOCK_SHARE, (entropies(logs) >= FORK_NATS) & (second >= FORK_SECOND_SHARE)


def measure(path: Path, changed_by: Path | None, rows: Sequence[Row], progress: Progress) -> dict[str, Any]:
    """Measures a base, and the same with an adapter; returns what ForkLock holds."""
    frozen = base.read(path)
    plain = Llama(frozen, None)
    changed = plain if changed_by is None else Llama(frozen, adapter.read(changed_by))
    limit = min(_MOST_TOKENS, frozen.shape.context)
    examples = [example for example in examples_of(Vocabulary.of(frozen.fields), rows, limit) if example is not None]
    means = {name: Means() for name in ("base_at_locks", "base_at_forks", "at_locks", "at_forks")}
    count = 0
    for done, example in enumerate(examples, start=1):
        before = plain.log_probabilities(example.ids, example.first)
        after = before if changed is plain else changed.log_probabilities(example.ids, example.first)
        count += len(before)
        places = np.arange(len(before)), np.asarray(example.ids[example.first :])
        for kind, chosen in zip(("locks", "forks"), positions(before), strict=True):
            for prefix, logs in (("base_at_", before), ("at_", after)):
                means[prefix + kind].add(entropies(logs)[chosen], np.exp(logs[places])[chosen])
        progress(done, len(examples))
    return {
        "positions": count,
        "locks": means["at_locks"].places,
        "forks": means["at_forks"].places,
        "left_out": len(rows) - len(examples),
        **{name: held.found() for name, held in means.items()},
    }
