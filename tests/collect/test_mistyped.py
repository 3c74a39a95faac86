"""Values of the wrong type: null in the record, counted in the receipt, named in health, and a warning where they are many."""

import json
from typing import Any

from tests.conftest import Workspace
from tests.support.forked import Distill, passed, run_in
from tests.support.rows import review


def collected(workspace: Workspace) -> dict[str, Any]:
    """Returns the receipt of the stage that collects, as it is published."""
    (receipt,) = (r for r in workspace.warehouse.receipts(workspace.warehouse.snapshot().made_by) if r["stage"] == "collect")
    return receipt


def test_they_are_null_and_counted_per_stream_and_field(workspace: Workspace) -> None:
    rows = [
        review("t1", "accept", "fine"),
        review("t2", "accept", 5),
        {},
        review("t3", ["accept"], "x", model={}, latency_ms=1.5),
    ]
    workspace.write("observer_reviews/b.jsonl", rows)
    workspace.write("observer_reviews/a.jsonl", ["", review("t4", "accept", ["z"], prompt=None, cited_paths=["a", 1])])
    workspace.write("outcomes.jsonl", [{"created_at": 1, "run_id": 12, "task_id": 7.0, "summary": "s", "gap_signals": 3.0}])
    workspace.passed()
    counts = collected(workspace)["record_counts"]
    assert counts["mistyped"] == {
        "observer_reviews": {
            "cited_paths": {"records": 1, "example": "observer_reviews/a.jsonl:2"},
            "latency_ms": {"records": 1, "example": "observer_reviews/b.jsonl:4"},
            "model": {"records": 1, "example": "observer_reviews/b.jsonl:4"},
            "notes": {"records": 2, "example": "observer_reviews/a.jsonl:2"},
            "verdict": {"records": 1, "example": "observer_reviews/b.jsonl:4"},
        }
    }
    assert {name: held["mistyped"] for name, held in counts["by_stream"].items()} == {"observer_reviews": 3, "outcomes": 0}
    records = {row["task_id"]: row for row in workspace.rows("evidence.records")}
    assert (records["7"]["run_id"], records["7"]["gap_signals"], records["7"]["mistyped_fields"]) == ("12", 3, [])
    assert (records["t3"]["verdict"], records["t3"]["model_name"], records["t3"]["latency_ms"]) == (None, None, None)
    assert records["t3"]["mistyped_fields"] == ["latency_ms", "model", "verdict"]
    assert (records["t3"]["unreadable_fields"], records["t2"]["unreadable_fields"]) == (["verdict"], [])
    assert (records["t4"]["cited_paths"], records["t4"]["unreadable_fields"]) == (["a"], ["cited_paths"])


def test_more_than_one_line_in_a_hundred_is_a_warning(workspace: Workspace) -> None:
    workspace.write("observer_reviews.jsonl", [review("t", "accept", 5), *(review("t", "accept", f"n{n}") for n in range(99))])
    workspace.passed()
    assert not [text for text in collected(workspace)["validation"]["warnings"] if "wrong type" in text]
    # The line once more: a repeat is a line of the stream too.
    workspace.write("observer_reviews.jsonl", [review("t", "accept", 5)])
    for _ in range(2):
        workspace.passed()
        (warning,) = (text for text in collected(workspace)["validation"]["warnings"] if "wrong type" in text)
        assert "stream observer_reviews: 2 of 101 lines" in warning and "notes (first at observer_reviews.jsonl:1)" in warning


def test_health_names_them(workspace: Workspace, distill: Distill) -> None:
    workspace.write("observer_reviews.jsonl", [review("t", "accept", "n"), review("t", 1, "m")])
    workspace.passed()
    *_, title, heads, line = passed(run_in(distill, workspace, "health", "--evidence")).out.splitlines()
    assert title == "values of the wrong type, which count as missing"
    assert (heads.split(), line.split()) == (
        ["stream", "field", "records", "first", "at"],
        ["observer_reviews", "verdict", "1", "observer_reviews.jsonl:2"],
    )
    (stream,) = json.loads(passed(run_in(distill, workspace, "health", "--evidence", "--json")).out)
    assert stream["mistyped"] == [{"field": "verdict", "records": 1, "example": "observer_reviews.jsonl:2"}]
