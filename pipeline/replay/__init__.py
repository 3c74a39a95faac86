"""A task answered from evidence by a small model, behind a gate that is code; every answer is logged as new evidence."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import DistillError
from pipeline.reader import Warehouse
from pipeline.replay import bundle, log
from pipeline.replay.attempts import Asked, attempt
from pipeline.replay.log import Record
from pipeline.replay.retrieval import RETRIEVERS
from pipeline.replay.trend import trend
from pipeline.search import opened

__all__ = ["RETRIEVERS", "Asked", "Replayed", "replay", "trend"]


@dataclass(frozen=True)
class Replayed:
    """What came of a replay: every attempt as it was logged, and the file of the stream that has them as lines."""

    records: tuple[Record, ...]
    log: Path
    note: str | None

    @property
    def last(self) -> Record:
        return self.records[-1]

    @property
    def passed(self) -> bool:
        return bool(self.last["verdict"] == "passed")


def replay(warehouse: Warehouse, data: Path, asked: Asked, told: Callable[[str], None] = lambda text: None) -> Replayed:
    """Answers a task: retrieve, ask, judge; after a refusal, and only if allowed, ask the larger model; log all of it.

    told: hears what is done next
    Raises UsageError for what makes no sense, ServerError where a model can't be asked; what was answered until then is logged.
    """
    asked = replace(asked, task=asked.task.encode("utf-8", "replace").decode())
    asked.refuse_odd()
    log.refuse_no_place(warehouse, data)
    held, note = gathered(warehouse, asked)
    records: list[Record] = []
    failure: DistillError | None = None
    replay_id = f"replay-{secrets.token_hex(16)}"
    models = [asked.first_model, *([asked.escalation_model] if asked.allow_escalation and asked.escalation_model else [])]
    for number, name in enumerate(models, 1):
        told(f"asking {name}")
        try:
            with asked.opened(name) as endpoint:
                records.append(attempt(asked, held, endpoint, replay_id, number))
        except DistillError as error:
            failure = error
            break
        if records[-1]["verdict"] == "passed":
            break
    if failure is not None and not records:
        raise failure
    path = log.append(warehouse, data, records)
    if failure is not None:
        raise failure
    return Replayed(tuple(records), path, note)


def gathered(warehouse: Warehouse, asked: Asked) -> tuple[dict[str, Any], str | None]:
    """Returns the bundle for a task, and what is worth knowing of the index."""
    with opened(warehouse, asked.as_of) as corpus:
        if not asked.retrieval:
            return bundle.empty(corpus), None
        return bundle.gather(corpus, asked.task, asked.retriever, asked.top_k), corpus.note
