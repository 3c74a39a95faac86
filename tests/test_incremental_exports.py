"""Exports look again only at what a small change can reach, and must come out as if they had looked at everything."""

import shutil
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conftest import Workspace
from tests.rows import review

Streams = Mapping[str, list[dict[str, Any]]]
# So many that the changes below are small beside them.
FILLER = [review("filler", "reject", f"filler {number}", number % 60) for number in range(200)]


def escalation(task: str) -> dict[str, Any]:
    """Worth what the reviews of its task are worth; the same text in every task."""
    return {"ts": 1, "task_id": task, "run_id": f"esc-{task}", "reason": "ask", "analysis": "good"}


def experiment(task: str) -> dict[str, Any]:
    """Rejected; no review, so it decides over nothing else."""
    row = {"created_at": 1, "task_id": task, "run_id": f"mode-{task}", "mode": "m", "prompt": "ask", "text": "worse"}
    return row | {"validation_results": {"grounded_fraction": 0.1}}


CHANGES: dict[str, tuple[Streams, Streams]] = {
    "the first row of every corpus, at a cost of minus zero beside zero": (
        {"observer_reviews": [*FILLER, review("filler", "reject", "free", cost_usd=0.0)]},
        {"observer_reviews": [review("t", "accept", "good", cost_usd=-0.0), review("t", "reject", "bad")]},
    ),
    "a record without content, and a verdict that takes a pair from one task and gives it to another": (
        {
            "observer_reviews": [*FILLER, review("A", "accept", "of A"), review("B", "accept", "of B")],
            "observer_escalations": [escalation("A"), escalation("B")],
            "mode_experiments": [experiment("A"), experiment("B")],
        },
        {"observer_reviews": [review("A", "reject", "now bad"), review("C", "accept", "mute") | {"notes": None}]},
    ),
    "a better record of the same text, and an earlier one that pushes another out of the first ten": (
        {
            "observer_reviews": [
                *FILLER,
                *(review("t", "accept", f"a{number}", number) for number in range(10, 20)),
                review("t", "reject", "bad"),
                review("u", "cycle", "text", 5),
            ]
        },
        {
            "observer_reviews": [
                review("t", "accept", "earliest", 1),
                review("v", "accept", "text", 9, run_id="better", prompt="Review u.py"),
            ]
        },
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_small_change_comes_out_as_if_everything_was_decided_again(
    workspace: Workspace, second: Workspace, change: str
) -> None:
    for streams in CHANGES[change]:
        for stream, rows in streams.items():
            workspace.write(f"{stream}.jsonl", rows)
        workspace.passed()
    shutil.copytree(workspace.data, second.data, dirs_exist_ok=True)
    second.passed()
    assert workspace.hashes() == second.hashes()
    assert workspace.files() == second.files()
