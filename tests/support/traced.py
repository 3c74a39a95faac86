"""What the tests of `distill trace` share: short ways to ask, and what an answer says."""

from functools import cache
from pathlib import Path
from typing import Any

from pipeline.reader import Warehouse
from pipeline.trace import Trace, trace, trace_line
from tests.conftest import Workspace
from tests.support.rows import review

STREAM = "observer_reviews.jsonl"


def pair() -> list[dict[str, Any]]:
    return [review("t1", "accept", "good", 1), review("t1", "reject", "bad", 2)]


@cache
def reader(path: Path) -> Warehouse:
    """Returns the warehouse of a test, whose declarations are read once."""
    return Warehouse(path)


def of(workspace: Workspace, asked: str, **when: Any) -> Trace:
    return trace(reader(workspace.settings.warehouse), workspace.data, asked, **when)


def of_line(workspace: Workspace, asked: str, **when: Any) -> Trace:
    return trace_line(reader(workspace.settings.warehouse), workspace.data, asked, **when)


def statuses(found: Trace) -> dict[str, str]:
    """Returns the status of each step; of a pair, of its chosen side."""
    head = {"exported row": found.row.status} if found.row else {}
    return head | {step.name: step.status for step in found.chains[0].steps}


def wrong(found: Trace) -> dict[str, set[str]]:
    """Returns the checks that failed, by step."""
    steps = {step.name: {check.name for check in step.checks if not check.ok} for step in found.steps}
    return {name: checks for name, checks in steps.items() if checks}


def rows(workspace: Workspace, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reader(workspace.settings.warehouse).arrow(table).to_pylist()
    return found


def only_id(workspace: Workspace, table: str, **wanted: Any) -> str:
    (row,) = [row for row in rows(workspace, table) if wanted.items() <= row.items()]
    return str(row["id"])
