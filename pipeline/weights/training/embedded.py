"""The trainer that comes along: LoRA on the embedded model with numpy alone, in a process of its own (see weights/worker.py).

The same rows, parameters, base and wheels of numpy give the same bytes on the same kind of processor: BLAS picks its kernels by
what a processor can do, and these round differently.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.weights import extras
from pipeline.weights.interface import Parameters, Progress, Row, Trained
from pipeline.weights.training.job import trained


class Embedded:
    """Trains on the embedded weights, or on those of another file."""

    name = "embedded"

    def __init__(self, base: Path | None = None) -> None:
        self._base = base

    def train(self, rows: Sequence[Row], parameters: Parameters, out: Path, progress: Progress) -> Trained:
        """See Trainer.train."""
        extras.require_small()
        return trained("embedded", self._base, rows, parameters, out, progress)
