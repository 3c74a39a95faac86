"""The first two levers as features of `distill replay`: --route, and --best-of with --verify."""

import json
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.replay.scene import logged, replay, told
from tests.replay.stub import Reply, serving
from tests.support.rows import review
from tests.weights.test_tasks import LINE, needs_sandbox, written

GOOD = "Sure:\n```python\ndef add(a, b):\n    return a + b\n```"
BAD = "```python\ndef add(a, b):\n    return a - b\n```"
TASK = "Write add(a, b)."


@pytest.fixture
def check(tmp_path: Path) -> str:
    return str(written(tmp_path / "add.json", {key: value for key, value in LINE.items() if key != "prompt"}))


@needs_sandbox
def test_the_first_answer_that_passes_is_kept(ready: Workspace, check: str) -> None:
    with serving("I can't.", BAD, GOOD, BAD) as stub:
        arguments = ("--best-of", "8", "--verify", check, "--model", "m", "--base-url", stub.url, "--json")
        done = replay(ready, "--task", TASK, *arguments)
    assert done.returncode == 0, done.stderr
    (record,) = told(done)["attempts"]
    assert (record["answer"], record["verdict"], record["findings"], record["claims"]) == (GOOD, "passed", [], 2)
    assert [asked["seed"] for asked in stub.asked] == [7, 8, 9]
    assert {asked["temperature"] for asked in stub.asked} == {0.7}
    assert all(asked["messages"] == [{"role": "user", "content": TASK}] for asked in stub.asked)
    held = {
        name: record["parameters"][name] for name in ("best_of", "sampled", "sampled_tokens", "temperature", "top_k", "seed")
    }
    assert held == {"best_of": 8, "sampled": 3, "sampled_tokens": 15, "temperature": 0.7, "top_k": 0, "seed": 9}
    assert record["gate"].startswith("0:") and record["bundle"]["records"] == []
    assert logged(ready) == [record]


@needs_sandbox
def test_where_none_passes_the_last_one_is_logged_as_refused(ready: Workspace, check: str) -> None:
    with serving(BAD) as stub:
        arguments = ("--best-of", "2", "--verify", check, "--temperature", "1.5", "--model", "m", "--base-url", stub.url)
        done = replay(ready, "--task", TASK, *arguments)
    assert (done.returncode, len(stub.asked), stub.asked[0]["temperature"]) == (1, 2, 1.5)
    assert "add(1, 2): is -1, not what is expected" in done.stdout and "nothing in the retrieval" not in done.stdout
    (record,) = logged(ready)
    assert (record["verdict"], record["findings"][0]["rule"], record["findings"][0]["kind"]) == ("refused", "check", "failed")


@needs_sandbox
def test_what_it_logs_is_evidence_that_proves_nothing_by_itself(ready: Workspace, check: str) -> None:
    for answer in (GOOD, BAD):
        with serving(answer) as stub:
            replay(ready, "--task", TASK, "--best-of", "1", "--verify", check, "--model", "m", "--base-url", stub.url)
    ready.passed()
    scores = [row for row in ready.rows("scored.runs") if row["source"] == "replay_runs"]
    assert sorted(row["category"] for row in scores) == ["needs_human_review", "rejected"]
    audit = ready.command("audit-full")
    assert audit.returncode == 0, audit.stdout + audit.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--best-of", "3"), "go together"),
        (("--temperature", "1"), "go together"),
        (("--task-type", "x"), "only with --route"),
        (("--route", "--model", "m"), "leave one of the two"),
    ],
)
def test_options_that_make_no_sense_alone(ready: Workspace, arguments: tuple[str, ...], said: str) -> None:
    done = replay(ready, "--task", TASK, *arguments, "--base-url", "http://127.0.0.1:9/v1")
    assert done.returncode == 2 and said in done.stderr


def test_a_check_that_is_none_is_refused_by_its_place(ready: Workspace, tmp_path: Path) -> None:
    for lines, said in (((LINE, LINE), "holds 2 lines"), ((), "holds 0 lines"), (({},), "c.json:1: entry_point")):
        path = written(tmp_path / "c.json", *lines)
        done = replay(
            ready, "--task", TASK, "--best-of", "2", "--verify", str(path), "--model", "m", "--base-url", "http://x/v1"
        )
        assert done.returncode == 2 and said in done.stderr, done.stderr


def fleet(workspace: Workspace, good: int, bad: int) -> None:
    """Two models: `steady` was accepted so often, and `shaky` was rejected so often."""
    rows = [review(f"f{n}", "accept", f"Finding {n} of steady.", n) | {"model": "steady"} for n in range(1, good + 1)]
    rows += [review(f"g{n}", "reject", f"Finding {n} of shaky.", n) | {"model": "shaky"} for n in range(1, bad + 1)]
    workspace.write("observer_reviews.jsonl", rows)
    workspace.passed()


def test_the_ledger_picks_the_model(ready: Workspace) -> None:
    fleet(ready, 25, 25)
    with serving(Reply("Nothing is known of that, and nothing is cited in this answer.")) as stub:
        done = replay(ready, "--task", TASK, "--route", "--task-type", "observer_reviews", "--base-url", stub.url, "--json")
    assert done.returncode == 1, done.stderr
    assert stub.models == ["steady"] and "routed to steady for observer_reviews" in done.stderr
    (record,) = json.loads(done.stdout)["attempts"]
    assert (record["model"], record["parameters"]["routed_by"]) == ("steady", "observer_reviews")


def test_a_ledger_that_is_too_thin_picks_nobody(ready: Workspace) -> None:
    fleet(ready, 5, 5)
    with serving("x") as stub:
        done = replay(ready, "--task", TASK, "--route", "--task-type", "observer_reviews", "--base-url", stub.url)
        unknown = replay(ready, "--task", TASK, "--route", "--base-url", stub.url)
    assert done.returncode == unknown.returncode == 2 and stub.asked == [] and logged(ready) == []
    assert "too thin" in done.stderr and "distill models --task-type observer_reviews" in done.stderr
    assert "no model was seen on tasks of type" in unknown.stderr
