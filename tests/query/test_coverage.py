"""What the evidence covers: shares by hand, classes found from the data alone, and what a stream lacks, in words."""

import json
from pathlib import Path
from typing import Any

from pipeline.query import coverage
from pipeline.query.coverage import Stream
from tests.conftest import Workspace
from tests.oracle.landing import is_blank
from tests.oracle.messy import write_messy
from tests.score.test_ledger import call
from tests.support.forked import Distill, passed, refused, run_in
from tests.support.rows import review


def examined(workspace: Workspace) -> dict[str, Stream]:
    return {stream.name: stream for stream in coverage.examine(workspace.warehouse)}


def fact(number: int, task: str) -> dict[str, Any]:
    return {"created_at": number, "task_id": task, "run_id": f"f{number}", "text": "a fact"}


def test_shares_classes_and_lacks_by_hand(workspace: Workspace) -> None:
    workspace.write(
        "observer_reviews.jsonl", [review("t1", "accept", "n1", cited_paths=["a.py"]), review("t2", "reject", "n2")]
    )
    workspace.write(
        "observer_reviews.jsonl", [review("t3", "", " ", model="m"), review("t4", "maybe", "n4", cited_paths=[" "])]
    )
    workspace.write("distilled_facts.jsonl", [fact(1, "t1"), fact(2, "t2"), fact(3, "t9")])
    workspace.write("model_trust.jsonl", [call(n, latency_ms=n) for n in range(3)] + [call(9, thumb="up")])
    workspace.passed()
    found = examined(workspace)
    assert {name: (one.kind, one.records, one.judged, one.scoreable) for name, one in found.items()} == {
        "distilled_facts": ("extraction", 3, 2, 0.666667),
        "model_trust": ("telemetry-rich", 4, 1, 0.25),
        "observer_reviews": ("verdict-bearing", 4, 2, 0.5),
    }
    reviews = found["observer_reviews"].columns
    assert {name: reviews[name] for name in ("cited_paths", "model_name", "content", "verdict", "latency_ms", "task_id")} == {
        "cited_paths": 0.25,
        "model_name": 0.25,
        "content": 0.75,
        "verdict": 0.75,
        "latency_ms": 0.0,
        "task_id": 1.0,
    }
    assert found["distilled_facts"].says() == ["no parent verdict in 1 of 3 rows: their tasks have no reviewed record"]
    assert found["model_trust"].says() == ["no verdict in 3 of 4 rows; empty in all that wait, full in all others: verdict"]
    assert found["observer_reviews"].says() == ["no verdict in 2 of 4 rows"]


def test_the_class_is_found_in_the_data_not_in_the_name(workspace: Workspace) -> None:
    """The same stream bears verdicts once most of its rows do, and a stream with nothing to go by is called so."""
    workspace.write("model_trust.jsonl", [call(n, thumb="up", latency_ms=1) for n in range(3)] + [call(9, latency_ms=1)])
    workspace.write("optimization_runs.jsonl", [{"timestamp": n, "item_id": "i"} for n in range(2)])
    workspace.passed()
    assert {name: one.kind for name, one in examined(workspace).items()} == {
        "model_trust": "verdict-bearing",
        "optimization_runs": "none of these",
    }


def test_every_column_is_covered_as_counted_in_python(workspace: Workspace) -> None:
    write_messy(workspace.data, 6, 400)
    workspace.passed()
    rows = workspace.rows("evidence.records")
    found = examined(workspace)
    assert {row["source"] for row in rows} == found.keys()
    for name, stream in found.items():
        mine = [row for row in rows if row["source"] == name]
        shares = {key: round(sum(_is_there(row[key]) for row in mine) / len(mine), 6) for key in rows[0]}
        assert stream.columns == shares
        assert list(stream.columns) == list(rows[0])


def _is_there(value: Any) -> bool:
    if isinstance(value, str):
        return not is_blank(value)
    return value is not None and value != []


def test_the_command(workspace: Workspace, distill: Distill) -> None:
    workspace.write("observer_reviews.jsonl", [review("t1", "accept", "n1"), review("t2", "", "n2")])
    workspace.write("distilled_facts.jsonl", [fact(n, "t1") for n in range(300)])
    workspace.passed()
    text = passed(run_in(distill, workspace, "health", "--evidence")).out.splitlines()
    assert text[0].split()[:5] == ["stream", "class", "records", "scoreable", "model_name"]
    assert text[2].split() == ["observer_reviews", "verdict-bearing", "2", "50%", "0%", "100%", "100%", "50%", "0%", "0%", "0%"]
    assert text[4] == "what keeps records from a score"
    assert (
        text[5]
        .split(maxsplit=1)[1]
        .startswith("no verdict in 1 of 2 rows; empty in all that wait, full in all others: verdict")
    )
    (facts, reviews) = json.loads(passed(run_in(distill, workspace, "health", "--evidence", "--json")).out)
    assert (facts["stream"], facts["class"], facts["lacks"]) == ("distilled_facts", "extraction", [])
    assert reviews["lacks"] == [{"reason": "no_verdict", "rows": 1, "says": "no verdict in 1 of 2 rows"}]
    assert reviews["empty_unless_judged"] == ["verdict"]
    assert len(reviews["columns"]) == 31


def test_an_empty_warehouse(workspace: Workspace, distill: Distill, tmp_path: Path) -> None:
    refused(run_in(distill, workspace, "health", "--evidence"), 3, "distill run-all")
    workspace.write("audits.jsonl", [])
    workspace.passed()
    assert passed(run_in(distill, workspace, "health", "--evidence")).out == "there is no evidence yet\n"
    assert json.loads(passed(run_in(distill, workspace, "health", "--evidence", "--json")).out) == []
