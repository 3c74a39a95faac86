"""`distill replay-eval`: the same tasks in two arms, counted by the gate, with intervals."""

import json
from pathlib import Path

import pytest

from pipeline.replay.evaluation import bootstrap, wilson
from tests.conftest import Workspace
from tests.replay.scene import BAD, TASK, good, logged
from tests.replay.stub import serving


def test_both_arms_are_counted(ready: Workspace, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.txt"
    tasks.write_text(f"{TASK}\n\n{TASK} Again.\n")
    arguments = ("--tasks", str(tasks), "--model", "m", "--local-only", "--base-url")
    with serving(good(ready), BAD) as stub:
        done = ready.command("replay-eval", *arguments, stub.url, "--json")
        assert len(stub.asked) == 4 and done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    first, second = document["arms"]
    assert (first["name"], second["name"]) == ("with retrieval", "without")
    assert first["pass_rate"]["value"] == 0.5 and second["pass_rate"]["value"] == 0.0
    assert first["fabricated"]["value"] == 1.5 and second["fabricated"]["value"] == 3.0
    assert first["grounded"]["low"] < 0.5 < first["grounded"]["high"] and len(document["answers"]) == 4
    assert logged(ready) == []
    with serving(good(ready)) as stub:
        shown = ready.command("replay-eval", *arguments, stub.url)
    assert "with retrieval" in shown.stdout and "100%" in shown.stdout


def test_tasks_are_made_from_the_corpus(ready: Workspace) -> None:
    with serving(good(ready)) as stub:
        done = ready.command("replay-eval", "--model", "m", "--base-url", stub.url, "--json", "--amount", "3")
    assert "pool" in json.loads(done.stdout)["answers"][0]["task"]


def test_an_empty_file_of_tasks(ready: Workspace, tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text(" \n")
    done = ready.command(
        "replay-eval", "--tasks", str(tmp_path / "none.txt"), "--model", "m", "--base-url", "http://127.0.0.1:9/v1"
    )
    assert done.returncode == 2 and "no task" in done.stderr


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"), [(1, 20, 0.0089, 0.2361), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0)]
)
def test_wilson(hits: int, trials: int, low: float, high: float) -> None:
    share = wilson(hits, trials)
    assert share.low == pytest.approx(low, abs=1e-4) and share.high == pytest.approx(high, abs=1e-4)


def test_bootstrap_is_the_same_every_time() -> None:
    assert bootstrap([0, 1, 2, 5]) == bootstrap([0, 1, 2, 5]) and bootstrap([2, 2]).low == 2
    assert wilson(0, 0).high == 1.0 and bootstrap([]).value == 0.0
