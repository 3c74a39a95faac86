"""The trainer for whoever has a GPU: trl, peft and transformers, from the extra `train`, in a process of its own.

It learns the same rows as the embedded trainer, from the same tokens. Bytes are not promised: a GPU sums in any order.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.weights import extras
from pipeline.weights.interface import Parameters, Progress, Row, Trained
from pipeline.weights.training.job import trained


class Trl:
    """Trains on the embedded weights, or on those of another file. Beside a.gguf comes a.peft, a folder that peft loads."""

    name = "trl"

    def __init__(self, base: Path | None = None) -> None:
        self._base = base

    def train(self, rows: Sequence[Row], parameters: Parameters, out: Path, progress: Progress) -> Trained:
        """See Trainer.train. It knows no weights between none and one."""
        extras.require_large()
        if odd := next((row for row in rows if row.weight not in (0, 1)), None):
            raise UsageError(f"a row has the weight {odd.weight}: trl counts all alike; next: take the embedded trainer, or 1")
        folder = out.with_suffix(".peft")
        try:
            return trained("trl", self._base, rows, parameters, out, progress, peft=str(folder))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
