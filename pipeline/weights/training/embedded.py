"""The trainer that comes along: LoRA on the embedded model with numpy alone, in a process of its own (see weights/worker.py).

The same rows, parameters, base and wheels of numpy give the same bytes on the same kind of processor: BLAS picks its kernels by
what a processor can do, and these round differently.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.weights import bases, extras, worker
from pipeline.weights.interface import Parameters, Progress, Row, Trained


class Embedded:
    """Trains on the embedded weights, or on those of another file."""

    name = "embedded"

    def __init__(self, base: Path | None = None) -> None:
        self._base = base

    def train(self, rows: Sequence[Row], parameters: Parameters, out: Path, progress: Progress) -> Trained:
        """See Trainer.train."""
        extras.require_small()
        parameters.refuse_odd()
        base = bases.named(self._base)
        job = {
            "kind": "train",
            "base": str(base),
            "base_sha256": bases.sha256_of(base),
            "rows": [asdict(row) for row in rows],
            "parameters": asdict(parameters),
        }
        with worker.drafted(out) as draft:
            made = worker.run({**job, "out": str(draft)}, progress)
        return Trained(file=out, **made)
