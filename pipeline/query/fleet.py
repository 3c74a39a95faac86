"""Which model should get a type of task? The ledger, ranked, with the answer or why there is none."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline import advice
from pipeline.errors import UsageError, WarehouseError
from pipeline.reader import Warehouse

LEDGER = "scored.model_ledger"


@dataclass(frozen=True)
class TaskType:
    """A type of task: whether it is clear who should get it, who comes first, what there is to say, and all models in order."""

    name: str
    is_clear: bool
    first: str
    answer: str
    models: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Ranking:
    """All types of tasks, as the snapshot of a run knows them."""

    run_id: str
    min_records: int
    task_types: tuple[TaskType, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "min_records": self.min_records,
            "task_types": [vars(task_type) | {"models": list(task_type.models)} for task_type in self.task_types],
        }


def rank(warehouse: Warehouse, min_records: int, task_type: str | None = None, as_of: str | None = None) -> Ranking:
    """Returns the models of every type of task, or of one, best first. Raises UsageError where there is no such type.

    min_records: so many verdicts a model needs before anything is said of it
    """
    with warehouse.opened() as engine:
        snapshot = warehouse.find(engine, as_of)
        if LEDGER not in snapshot.tables:
            raise WarehouseError(f"run {snapshot.run_id} had no ledger of models yet; `{advice.command('run-all')}` makes one")
        warehouse.bind(engine, snapshot)
        engine.bind_arrow("run.asked", pa.table({"min_records": pa.array([min_records], pa.int64())}))
        engine.materialise("run.ranking", warehouse.library["ledger/ranking"].sql)
        ranked = engine.rows("select * from run.ranking order by task_type, place")
        answers = engine.rows(warehouse.library["ledger/answers"].sql)
    found = tuple(_task_type(answer, ranked) for answer in answers)
    wanted = tuple(one for one in found if task_type in (None, one.name))
    if task_type is not None and not wanted:
        known = ", ".join(one.name for one in found) or "none yet"
        raise UsageError(f"no model was seen on tasks of type {task_type!r}; there are {known}")
    return Ranking(snapshot.run_id, min_records, wanted)


def _task_type(answer: dict[str, Any], ranked: list[dict[str, Any]]) -> TaskType:
    name = answer["task_type"]
    models = tuple(
        {key: value for key, value in row.items() if key != "task_type"} for row in ranked if row["task_type"] == name
    )
    return TaskType(name, answer["is_clear"], answer["model_name"], answer["answer"], models)
