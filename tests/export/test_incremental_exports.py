"""Exports look again only at what a small change can reach, and must come out as if they had looked at everything."""

import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from pipeline.export import scope
from pipeline.export.scope import Reach
from pipeline.run import Run
from pipeline.settings import Gates
from tests.conftest import Workspace
from tests.oracle.pairing import meeting_row
from tests.support.rows import edited_copy, review

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


def patch(task: str, action: str, text: str, second: int = 0, subject: str = "s.py") -> dict[str, Any]:
    """A row of auto_apply, which speaks of the same files as the reviews do."""
    row = {"ts": f"2026-04-27T00:00:{second:02d}Z", "task_id": task, "run_id": f"patch-{text}", "file": subject}
    return row | {"prompt": "ask", "patch": text, "action": action}


def asked(task: str, verdict: str, notes: str, second: int = 0) -> dict[str, Any]:
    return review(task, verdict, notes, second, file="s.py", prompt="ask")


def opinion(task: str, text: str) -> dict[str, Any]:
    """Worth what the reviews of its task are worth."""
    return {"ts": 1, "task_id": task, "run_id": f"esc-{task}-{text}", "reason": "ask", "analysis": text}


CHANGES: dict[str, tuple[Streams, Streams]] = {
    "a pair that another one, of a new task, turns round, and a new loser of what was accepted in part": (
        {
            "observer_reviews": [
                *FILLER,
                asked("A", "accept", "this"),
                asked("A", "cycle", "that"),
                asked("B", "cycle", "half good"),
                asked("B", "accept", "better"),
            ]
        },
        {
            "observer_reviews": [asked("C", "accept", " that"), asked("C", "cycle", "this ")],
            "audit_discrepancies": [
                {"ts": 1, "discrepancy_id": "Z", "prompt": "ask", "finding_a": "best", "finding_b": "half good"}
                | {"run_a": "1", "run_b": "2", "winner": "a", "settled_by": "person:ada"}
            ],
        },
    ),
    "a new verdict on an old text, and an old verdict turned by the reviews of its task": (
        {
            "observer_reviews": [
                *FILLER,
                asked("A", "accept", "moot"),
                asked("A2", "accept", "quarrel"),
                asked("B", "accept", "b"),
            ],
            "observer_escalations": [opinion("B", "quarrel "), opinion("C", "peace")],
            "auto_apply": [patch("C2", "committed", "peace", subject="t.py"), patch("D", "build_red_reverted", "d")],
        },
        {
            "observer_reviews": [
                review("E", "reject", " moot", prompt="ask "),
                review("B", "reject", "no"),
                asked("C", "reject", "c"),
            ]
        },
    ),
    "verdicts that part again": (
        {
            "observer_reviews": [*FILLER, asked("A", "reject", "first"), asked("B", "accept", "told")],
            "observer_escalations": [opinion("A", "told")],
        },
        {"observer_reviews": [asked("A", "accept", "second")]},
    ),
    "a subject that a second stream begins to speak of": (
        {"observer_reviews": [*FILLER, *(asked(f"A{n}", "accept", f"good {n}", n) for n in range(12))]},
        {"auto_apply": [patch("B", "build_red_reverted", "bad")]},
    ),
    "a rejected partner that turns, and leaves its place to those of its own stream": (
        {
            "observer_reviews": [
                *FILLER,
                review("X", "reject", "bad"),
                *(asked(f"A{n}", "accept", f"a{n}", 9) for n in range(3)),
            ],
            "scrum_reviews": [
                {"created_at": 1, "task_id": "X", "run_id": "s", "file": "q.py", "review": "s", "accepted": False}
            ],
            "auto_apply": [patch(f"B{n}", "build_red_reverted", f"b{n}", n) for n in range(4)],
            "observer_escalations": [opinion("X", "old")],
        },
        {"observer_reviews": [asked("B0", "accept", "so late", 59), review("X", "accept", "good after all")]},
    ),
    "an earlier pair that takes the id of one across streams": (
        {
            "observer_reviews": [*FILLER, asked("M", "accept", "good"), asked("L", "accept", "other")],
            "auto_apply": [patch("N", "build_red_reverted", "bad"), patch("O", "build_red_reverted", "worse")],
            "audit_discrepancies": [
                {"ts": 1, "discrepancy_id": "Z", "prompt": "ask", "finding_a": "good", "finding_b": "bad"}
                | {"run_a": "1", "run_b": "2", "winner": "a", "settled_by": "person:ann"}
            ],
        },
        {"observer_reviews": [asked("K", "accept", "good"), asked("K", "reject", "bad")]},
    ),
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


def test_a_task_of_very_many_records_makes_only_preference_decide_everything(
    workspace: Workspace, second: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One record of 201 is new: rag and sft look at this one alone, while preference has to look at their whole task."""
    decided_all = {}
    find = scope.find

    def noted(run: Run, export: str, made_of: str) -> Reach | None:
        reach = find(run, export, made_of)
        decided_all[export] = reach is None
        return reach

    workspace.write("observer_reviews.jsonl", FILLER)
    workspace.passed()
    monkeypatch.setattr(scope, "find", noted)
    workspace.write("observer_reviews.jsonl", [review("filler", "accept", "more", 59)])
    workspace.passed()
    assert decided_all == {"rag": False, "sft": False, "preference": True}
    shutil.copytree(workspace.data, second.data, dirs_exist_ok=True)
    second.passed()
    assert workspace.hashes() == second.hashes()
    assert workspace.files() == second.files()


def test_what_hung_on_a_record_that_lost_its_score_is_decided_again(workspace: Workspace, second: Workspace) -> None:
    """Of A, the dispute about its text and the pair of its task have to go; of B, the row that kept a later one out."""
    a = [asked("A", "accept", "good"), asked("A", "reject", "bad"), asked("A", "reject", "told")]
    same = [asked("B", "accept", "same text", 1), asked("D", "accept", "same text", 2)]
    workspace.write("observer_reviews.jsonl", [*FILLER, *a, *same, asked("C", "accept", "told")])
    workspace.passed()
    assert [row["task_id"] for row in workspace.rows("exports.preference")] == ["A"]
    sql = workspace.root / "sql"
    edited_copy(
        sql, "2_scored/_runs.sql", "from scored.judged", "from scored.judged\nwhere not (task_id = 'A' or task_id = 'B')"
    )
    edited_copy(
        sql, "checks/one_score_per_record.sql", "records.amount <> runs.amount\n    or records.keys <> runs.keys", "false"
    )
    workspace.passed(sql=sql)
    shutil.copytree(workspace.data, second.data, dirs_exist_ok=True)
    second.passed(sql=sql)
    assert workspace.rows("exports.preference") == []
    assert workspace.hashes() == second.hashes()
    assert workspace.files() == second.files()


# --- any batches at all -----------------------------------------------------------------------------------

FEW = settings(max_examples=3, phases=[Phase.explicit, Phase.generate])


@FEW
@example(seed=3, sizes=[60, 1, 1, 2])
@given(seed=st.integers(0, 10**6), sizes=st.lists(st.sampled_from([1, 1, 2, 5, 40]), min_size=2, max_size=4))
def test_batches_with_runs_between_them_equal_one_run(seed: int, sizes: list[int]) -> None:
    """Every change counts as small. Rows of all streams that judge, about few subjects and texts: nearly all reach others.

    What pairs are made of changes now and then, too.
    """
    rng = random.Random(seed)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.export.scope.WORTH_IT", 10)
        patch.setattr("pipeline.export.mending.MENDABLE", 10)
        grown, whole = Workspace(Path(folder) / "grown"), Workspace(Path(folder) / "whole")
        gates = Gates()
        for size in sizes:
            for _ in range(size):
                stream, row = meeting_row(rng)
                grown.write(f"{stream}.jsonl", [row])
            gates = (
                Gates(pairs=rng.choice(["same-prompt", "task"]), max_pairs=rng.choice([5, 2])) if rng.random() < 0.4 else gates
            )
            grown.passed(gates=gates)
        shutil.copytree(grown.data, whole.data, dirs_exist_ok=True)
        whole.passed(gates=gates)
        assert grown.hashes() == whole.hashes()
        assert grown.files() == whole.files()
