"""The tasks that a warehouse knows: the bundled sets, and those that were added to distill.tasks."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import advice
from pipeline.errors import UsageError
from pipeline.reader import Warehouse
from pipeline.store import foreign, snapshots
from pipeline.store.delta import locked
from pipeline.weights import sandbox
from pipeline.weights.tasks import Task, bundled, numbered, set_sha256

TABLE = snapshots.TASKS
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class TaskSet:
    """Tasks under a name. added_at: None for those that come along and were not added."""

    name: str
    role: str
    sha256: str
    tasks: tuple[Task, ...]
    added_at: datetime | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(sorted({task.source for task in self.tasks}))


def add_file(warehouse: Warehouse, path: Path, role: str, name: str | None = None) -> tuple[TaskSet, bool]:
    """Adds the tasks of a file as a set. Returns the set, and whether it was new.

    A set is frozen: the same tasks change nothing, and others under its name are refused, as are its tasks in another role.
    Raises UsageError for those, for a line that is no task, and for a reference that does not return what is expected.
    """
    by_line = numbered(path, role, name)
    tasks = tuple(by_line.values())
    _refuse_other(tasks, sets(warehouse), path)
    _refuse_wrong_references(by_line, path)
    # Once more under the lock: somebody else may have added a set of this name meanwhile.
    return of(tasks), add(warehouse, tasks, lambda held: _refuse_other(tasks, held, path))


def add(warehouse: Warehouse, tasks: Sequence[Task], refuse: Callable[[list[TaskSet]], None] = lambda held: None) -> bool:
    """Adds the tasks of one set, unless exactly these are there. Returns whether rows were written. Waits for a run at work.

    refuse: is shown the sets that were added before, and raises what speaks against these tasks
    """
    held = of(tasks)
    with locked(warehouse.path, PATIENCE_SECONDS):
        store = warehouse.store
        store.forget()
        store.create_missing()
        foreign.take_back_chronicle(store, TABLE)
        before = added(warehouse)
        if any((one.name, one.sha256, one.role) == (held.name, held.sha256, held.role) for one in before):
            return False
        refuse(before)
        now = datetime.now(UTC)
        rows = pa.Table.from_pylist([_row(task, held.sha256, now) for task in tasks], schema=store.tables[TABLE].schema)
        store.append(TABLE, rows, {"set": held.name, "set_sha256": held.sha256})
    return True


def of(tasks: Sequence[Task]) -> TaskSet:
    """Returns tasks of one set as a set."""
    return TaskSet(tasks[0].set, tasks[0].role, set_sha256(tasks), tuple(tasks))


def added(warehouse: Warehouse) -> list[TaskSet]:
    """Returns the sets that were added, oldest first."""
    store = warehouse.store
    if not store.exists(TABLE):
        return []
    with warehouse.opened() as engine:
        engine.bind(TABLE, store.read(TABLE, store.own_version(TABLE)).files, warehouse.schema(TABLE))
        rows = engine.rows(f"select * from {TABLE} order by added_at, set_name, set_sha256, role, task_id")
    groups = groupby(rows, lambda row: (row["set_name"], row["role"], row["set_sha256"], row["added_at"]))
    return [TaskSet(name, role, sha, tuple(map(_task, held)), at) for (name, role, sha, at), held in groups]


def sets(warehouse: Warehouse) -> list[TaskSet]:
    """Returns all sets: the bundled ones first, then those that were added."""
    found = added(warehouse)
    known = {(one.name, one.sha256, one.role) for one in found}
    along = map(of, bundled().values())
    return [*(one for one in along if (one.name, one.sha256, one.role) not in known), *found]


def load(warehouse: Warehouse, name: str) -> TaskSet:
    """Returns the set of a name: as it was added last, else as it comes along. Raises UsageError where there is none."""
    found = sets(warehouse)
    wanted = [one for one in found if one.name == name]
    if not wanted:
        known = ", ".join(dict.fromkeys(one.name for one in found))
        command = advice.command("tasks add", "FILE", "--role", "hold_out", "--set", name)
        raise UsageError(f"there is no set {name!r}; there are {known}; next: `{command}` adds one")
    return wanted[-1]


def _refuse_other(tasks: Sequence[Task], known: Sequence[TaskSet], path: Path) -> None:
    new = of(tasks)
    for held in known:
        if held.name == new.name and (held.sha256 != new.sha256 or held.role != new.role):
            raise UsageError(
                f"the set {held.name!r} is frozen, with {len(held.tasks)} tasks (sha256 {held.sha256[:12]}, role {held.role}); "
                "these are others, so they need another name; next: `"
                + advice.command("tasks add", str(path), "--role", new.role, "--set", f"{held.name}-2")
                + "`"
            )
        if held.sha256 == new.sha256 and held.role != new.role:
            raise UsageError(
                f"the same tasks are the set {held.name!r} of role {held.role}, so they can't be {new.role}: what is measured "
                f"must not be practised; next: `{advice.command('tasks list')}` shows all sets"
            )


def _refuse_wrong_references(tasks: Mapping[int, Task], path: Path) -> None:
    if not any(task.reference for task in tasks.values()):
        return
    with sandbox.opened() as box:
        for number, task in tasks.items():
            if task.reference is None:
                continue
            found = box.judge(task.reference, task.entry_point, task.calls, task.expected)
            if found.verdict != sandbox.PASSED:
                raise UsageError(
                    f"{path}:{number}: the reference of {task.task_id!r} does not pass ({found.verdict}): {found.detail}"
                )


def _row(task: Task, sha256: str, now: datetime) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "set_name": task.set,
        "set_sha256": sha256,
        "task_id": task.task_id,
        "role": task.role,
        "family": task.family,
        "prompt": task.prompt,
        "entry_point": task.entry_point,
        "calls": list(task.calls),
        "expected": json.dumps(task.expected, ensure_ascii=True),
        "reference": task.reference,
        "written_at": task.written_at,
        "source": task.source,
        "added_at": now,
    }


def _task(row: dict[str, Any]) -> Task:
    return Task(
        task_id=row["task_id"],
        set=row["set_name"],
        role=row["role"],
        family=row["family"],
        prompt=row["prompt"],
        entry_point=row["entry_point"],
        calls=tuple(row["calls"]),
        expected=tuple(json.loads(row["expected"])),
        reference=row["reference"],
        written_at=row["written_at"],
        source=row["source"],
    )
