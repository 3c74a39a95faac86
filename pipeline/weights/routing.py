"""The first lever: the model that the ledger knows to be best for a type of task."""

from pipeline import advice
from pipeline.errors import UsageError
from pipeline.query.fleet import rank
from pipeline.reader import Warehouse
from pipeline.replay.log import STREAM

# So many verdicts a model needs, as `distill models` has it by default.
MIN_RECORDS = 20
# Replays are a type of task of their own.
REPLAYS = STREAM


def route(warehouse: Warehouse, task_type: str = REPLAYS, as_of: str | None = None) -> tuple[str, str]:
    """Returns the model that should get a type of task, and why.

    Raises UsageError where the evidence is too thin to say: a guess would be no routing.
    """
    (found,) = rank(warehouse, MIN_RECORDS, task_type, as_of).task_types
    if not found.is_clear:
        shown = advice.command("models", "--task-type", task_type)
        raise UsageError(
            f"--route: {found.answer}; next: name a model with --model NAME; `{shown}` shows what is known of them"
        )
    return found.first, found.answer
