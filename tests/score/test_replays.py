"""What a replay is worth: what is said of its task from its own time on, by those who are not models."""

import random
from typing import Any

from tests.conftest import Workspace

MOMENTS = [f"2026-04-27T00:00:0{second}Z" for second in range(6)]
ACTIONS = {"committed": "accepted", "build_red_reverted": "rejected"}


def test_a_replay_is_judged_by_all_that_came_with_it_or_later(workspace: Workspace) -> None:
    """Few tasks and moments, so that many fall together; here each replay is held against every patch."""
    rng = random.Random(7)
    replays = [replay(f"r{n}", rng.choice("abcd"), rng.choice(MOMENTS)) for n in range(60)]
    patches = [patch(n, rng.choice("abc"), rng.choice(MOMENTS), rng.choice([*ACTIONS, "committed"])) for n in range(25)]
    workspace.write("replay_runs.jsonl", replays)
    workspace.write("auto_apply.jsonl", patches)
    workspace.passed()
    found = {row["run_id"]: row["reasons"] for row in workspace.rows("scored.runs") if row["source"] == "replay_runs"}
    assert found == {row["run_id"]: [wanted(row, patches)] for row in replays}
    assert len({reason for (reason,) in found.values()}) == 4


def replay(run_id: str, task: str, moment: str) -> dict[str, Any]:
    return {"created_at": moment, "run_id": run_id, "task_id": task, "verdict": "passed", "task": "ask", "answer": run_id}


def patch(number: int, task: str, moment: str, action: str) -> dict[str, Any]:
    return {"ts": moment, "run_id": f"p{number}", "task_id": task, "file": f"{number}.py", "patch": "x", "action": action}


def wanted(row: dict[str, Any], patches: list[dict[str, Any]]) -> str:
    said = [ACTIONS[one["action"]] for one in patches if one["task_id"] == row["task_id"] and one["ts"] >= row["created_at"]]
    if not said:
        return "gate_is_no_proof"
    if set(said) == {"accepted"}:
        return "confirmed_outside"
    return "refuted_outside" if set(said) == {"rejected"} else "outside_mixed"
