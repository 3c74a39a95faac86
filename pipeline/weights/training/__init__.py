"""Trainers of adapters behind one interface: `embedded` needs numpy alone, `trl` is for whoever has a GPU."""

from pipeline.errors import UsageError
from pipeline.weights.interface import Parameters, Progress, Row, Trained, Trainer
from pipeline.weights.training.embedded import Embedded
from pipeline.weights.training.trl import Trl

__all__ = ["TRAINERS", "Parameters", "Progress", "Row", "Trained", "Trainer", "trainer"]

TRAINERS: dict[str, type[Trainer]] = {"embedded": Embedded, "trl": Trl}


def trainer(name: str) -> Trainer:
    """Returns a trainer by its name. Raises UsageError for another one."""
    if name not in TRAINERS:
        raise UsageError(f"{name!r} is not a trainer; there are {' and '.join(TRAINERS)}")
    return TRAINERS[name]()
