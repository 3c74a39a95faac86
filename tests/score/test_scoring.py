"""Scores over time: a later line may change an old one, and however lines arrive, the scores are those of one run over all."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.audit import audit
from pipeline.settings import Gates
from tests.conftest import Silent, Workspace, statuses
from tests.oracle.evidence import build_evidence
from tests.oracle.landing import land
from tests.oracle.scored import score
from tests.support.rows import copied_sql, edit

Row = dict[str, Any]


def applied(run: str, action: str, second: int, **fields: Any) -> Row:
    """A row of auto_apply."""
    return {"ts": second, "run_id": run, "task_id": "t", "file": "a.py", "patch": f"+{run}", "action": action} | fields


def found(workspace: Workspace) -> dict[str, tuple[str, list[str]]]:
    return {row["run_id"]: (row["category"], row["reasons"]) for row in workspace.rows("scored.runs")}


def test_a_revert_that_comes_later_reaches_an_old_patch_and_what_was_extracted_from_it(workspace: Workspace) -> None:
    workspace.write("auto_apply.jsonl", [applied("patch", "committed", 10)])
    workspace.write("distilled_facts.jsonl", [{"created_at": 1, "run_id": "fact", "task_id": "t", "text": "a fact"}])
    workspace.passed()
    assert found(workspace) == {
        "patch": ("accepted", ["committed"]),
        "fact": ("partially_accepted", ["parent_accepted"]),
    }
    assert len(workspace.exported("sft/instruction_response.jsonl")) == 1
    workspace.write("auto_apply.jsonl", [applied("revert", "build_reverted", 11, patch=None)])
    workspace.passed()
    assert found(workspace) == {
        "patch": ("rejected", ["reverted_later"]),
        "revert": ("rejected", ["build_reverted"]),
        "fact": ("rejected", ["parent_rejected"]),
    }
    assert workspace.exported("sft/instruction_response.jsonl") == []


def test_new_patches_alone_leave_the_old_scores_in_place(workspace: Workspace) -> None:
    """The table is added to, not written anew, where no old score changed."""
    workspace.write("auto_apply.jsonl", [applied("one", "committed", 1)])
    workspace.passed()
    before = {row["run_id"]: row for row in workspace.rows("scored.runs")}
    files = {path.name for path in (workspace.settings.warehouse / "scored/runs").glob("*.parquet")}
    workspace.write("auto_apply.jsonl", [applied("two", "committed", 2, file="b.py")])
    workspace.passed()
    assert {row["run_id"]: row for row in workspace.rows("scored.runs")}.items() > before.items()
    assert len({path.name for path in (workspace.settings.warehouse / "scored/runs").glob("*.parquet")} - files) == 1


def settled(run: str, by: str) -> Row:
    sides = {"finding_a": f"{run} a", "finding_b": f"{run} b", "run_a": f"{run}-a", "run_b": f"{run}-b"}
    return {"ts": 1, "run_id": run, "task_id": run, "prompt": run, "winner": "a", "settled_by": by} | sides


def test_the_list_of_settlers_is_asked_again_when_it_changes(workspace: Workspace) -> None:
    workspace.write("audit_discrepancies.jsonl", [settled("ann", " Ann"), settled("bob", "bob"), settled("ci", "tool:ci")])

    def accepted(*settlers: str) -> set[str]:
        workspace.passed(gates=Gates(settlers=settlers))
        return {run for run, (category, _) in found(workspace).items() if category == "accepted"}

    assert accepted() == {"ci"}
    assert accepted("ANN ") == {"ann", "ci"}
    workspace.write("audit_discrepancies.jsonl", [settled("later", "ann")])
    assert accepted("ANN ") == {"ann", "ci", "later"}
    assert set(statuses(workspace.passed(gates=Gates(settlers=("ANN ",)))).values()) == {"unchanged"}
    checks = {result.name: result.findings for result in audit(workspace.settings, Silent()).results}
    assert checks["rescoring_reproduces"] == ()
    assert accepted("bob", "bob", "Bob") == {"bob", "ci"}


def test_a_change_of_the_sql_changes_the_version_of_its_scorer_alone(workspace: Workspace) -> None:
    workspace.write("auto_apply.jsonl", [applied("patch", "committed", 10)])
    workspace.write("distilled_facts.jsonl", [{"created_at": 1, "run_id": "fact", "task_id": "t", "text": "a fact"}])

    def versions(**changes: Any) -> dict[str, str]:
        workspace.passed(**changes)
        return {row["source"]: row["scorer_version"] for row in workspace.rows("scored.runs")}

    before = versions()
    sql = copied_sql(workspace.root / "sql")
    edit(sql / "2_scored/auto_apply.sql", "['committed']", "['was_committed']", raised=False)
    after = versions(sql=sql)
    assert {source for source in before if before[source] != after[source]} == {"auto_apply"}


ACTIONS = ("committed", "committed", "build_reverted", "tests_REVERTED ", "dry_run", ["committed"], None)


def any_row(rng: random.Random) -> tuple[str, Row]:
    """A patch, a review, a fact or an outcome; few tasks, files and times, so that they meet."""
    task, second = rng.choice("abc"), rng.randint(0, 5)
    row: Row = {"ts": second, "created_at": second, "run_id": f"r{rng.randint(0, 9**9)}", "task_id": task}
    stream = rng.choice(["auto_apply", "auto_apply", "observer_reviews", "distilled_facts", "outcomes"])
    file = rng.choice(["a.py", "a.py", "b.py", "\u00a0", None, 7])
    more: dict[str, Row] = {
        "auto_apply": {"file": file, "patch": rng.choice("xyz"), "action": rng.choice(ACTIONS)},
        "observer_reviews": {"file": file, "notes": rng.choice("xyz"), "verdict": rng.choice(["accept", "reject", "cycle", 1])},
        "distilled_facts": {"text": rng.choice("xyz"), "cited_paths": rng.choice([None, None, ["a"], "a", [1]])},
        "outcomes": {
            "summary": "s",
            "all_events_ok": rng.choice([True, False, "true"]),
            "gap_signals": rng.choice([0, 1, "1"]),
        },
    }
    return stream, row | more[stream]


@settings(max_examples=3)
@example(seed=4)
@given(seed=st.integers(0, 10**6))
def test_lines_in_any_portions_get_the_scores_of_one_run_and_of_the_oracle(seed: int) -> None:
    rng = random.Random(seed)
    with TemporaryDirectory() as folder:
        grown, whole = Workspace(Path(folder) / "grown"), Workspace(Path(folder) / "whole")
        for _ in range(4):
            for _ in range(rng.choice([1, 4, 12])):
                stream, row = any_row(rng)
                grown.write(f"{stream}.jsonl", [row])
                whole.write(f"{stream}.jsonl", [row])
            grown.passed()
        whole.passed()
        assert grown.hashes() == whole.hashes()
        assert grown.files() == whole.files()
        scores = {(row["source"], row["sig_hash"]): row for row in grown.rows("scored.runs")}
        expected = score(build_evidence(land(whole.data)).records)
        assert len(expected) == len(scores)
        for row in expected:
            mine = scores[row["source"], row["sig_hash"]]
            assert (mine["category"], mine["reasons"]) == (row["category"], row["reasons"])


@pytest.mark.parametrize("other", ["auto_apply", "outcomes"])
def test_a_replay_is_confirmed_only_by_what_names_no_model(workspace: Workspace, other: str) -> None:
    """The same record confirms it without the model's name, and only one that came no earlier."""
    answer = {"created_at": 5, "run_id": "replay/1", "task_id": "replay", "task": "q", "answer": "x", "verdict": "passed"}
    word = {"ts": 6, "created_at": 6, "task_id": "replay", "file": "f", "action": "committed", "all_events_ok": True}
    workspace.write("replay_runs.jsonl", [answer | {"model": "m"}])
    workspace.write(f"{other}.jsonl", [word | {"run_id": "of a model", "model": "other"}])
    workspace.write(f"{other}.jsonl", [word | {"run_id": "too early", "ts": 4, "created_at": 4}])
    workspace.passed()
    assert found(workspace)["replay/1"] == ("needs_human_review", ["gate_is_no_proof"])
    workspace.write(f"{other}.jsonl", [word | {"run_id": "of the orchestrator"}])
    workspace.passed()
    assert found(workspace)["replay/1"] == ("accepted", ["confirmed_outside"])
