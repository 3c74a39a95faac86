"""What a run says of itself: receipts, summary, drift; the same for the same content, and honest about what failed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastjsonschema
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import GateError
from pipeline.models.tables import load, row_digest
from pipeline.reports.receipts import SCHEMAS
from pipeline.runner import Outcome
from pipeline.settings import builtin_sql
from tests.conftest import RECORDED_AT, STAGES, Workspace, statuses
from tests.support.gates import gate_engine
from tests.support.rows import copied_sql, edit, review

ROWS = [
    review("t1", "accept", "good", 1),
    review("t1", "reject", "bad", 2),
    review("t2", "cycle", "so so", 3),
    review("t2", "", "unsure", 4),
    review("t2", "accept", "good", 5) | {"ts": None},
]


def valid(schema: str, document: dict[str, Any]) -> dict[str, Any]:
    fastjsonschema.compile(json.loads((SCHEMAS / f"{schema}.v1.json").read_text()))(document)
    return document


def filled(root: Path, **changes: Any) -> Workspace:
    workspace = Workspace(root)
    workspace.write("observer_reviews.jsonl", ROWS)
    workspace.passed(**changes)
    return workspace


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("built")).root


@pytest.fixture
def ready(built: Path, tmp_path: Path) -> Workspace:
    return Workspace(built).copy(tmp_path)


def holds_reports(workspace: Workspace, outcome: Outcome) -> None:
    """Receipts and summary are the same documents in the outcome, below reports/, and in ops.*, and fit their schemas."""
    folder = workspace.settings.reports / outcome.run_id
    assert [receipt["stage"] for receipt in outcome.receipts] == list(STAGES)
    for receipt in outcome.receipts:
        valid("stage_receipt", receipt)
        assert receipt["run_id"] == outcome.run_id
        assert json.loads((folder / f"{receipt['stage']}.json").read_text()) == receipt
    assert workspace.warehouse.receipts(outcome.run_id) == outcome.receipts
    assert json.loads((folder / "summary.json").read_text()) == valid("run_summary", outcome.summary)
    assert outcome.run_id in (folder / "summary.md").read_text()
    last = workspace.warehouse.last_run()
    assert last is not None
    assert (last["run_id"], last["overall_passed"]) == (outcome.run_id, outcome.failure is None)


# --- a good run -------------------------------------------------------------------------------------------


def test_every_stage_has_one_receipt_that_adds_up(ready: Workspace) -> None:
    ready.write("observer_reviews.jsonl", [review("t3", "accept", "new", 5), "{", review("t1", "accept", "good", 1)])
    outcome = ready.passed()
    holds_reports(ready, outcome)
    counts = {receipt["stage"]: receipt["record_counts"] for receipt in outcome.receipts}
    collect = counts["collect"]
    assert (collect["in"], collect["out"], collect["skipped"], collect["deduped"]) == (8, 5, 2, 1)
    assert collect["by_reason"] == {"invalid_json": 1, "missing_timestamp": 1}
    score = {"accepted": 2, "needs_human_review": 1, "partially_accepted": 1, "rejected": 1}
    assert (counts["score"]["in"], counts["score"]["out"], counts["score"]["by_category"]) == (5, 5, score)
    for name in ("rag", "sft", "preference"):
        export = counts[f"export-{name}"]
        assert export["in"] == export["out"] + export["quarantined"] + export["capped"]
        assert export["quarantined"] == sum(export["by_reason"].values())
        assert outcome.summary["datasets"][name] == export["out"] == len(ready.rows(f"exports.{name}"))
    assert outcome.summary["total_quarantined"] == len(ready.rows("exports.quarantine"))
    published = ready.warehouse.snapshot().tables
    for receipt in outcome.receipts:
        assert receipt["validation"]["passed"]
        assert (receipt["models"] or receipt["stage"] == "index") and receipt["inputs"] and receipt["outputs"]
        for table in receipt["inputs"] + receipt["outputs"]:
            of = "exports.rag" if table["name"] == "index.rag" else table["name"]
            assert table["delta_version"] == published[of].delta_version
    drift = json.loads((ready.settings.reports / outcome.run_id / "drift.json").read_text())
    assert drift == valid("drift_report", drift) == outcome.drift
    ops = ready.warehouse.sql(f"select distinct run_id, previous_run_id from ops.drift where run_id = '{outcome.run_id}'")
    assert ops.to_pylist() == [{"run_id": outcome.run_id, "previous_run_id": drift["previous_run_id"]}]


# --- hashes -----------------------------------------------------------------------------------------------


def hashes(receipts: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {receipt["stage"]: (receipt["input_hash"], receipt["output_hash"]) for receipt in receipts}


def test_hashes_do_not_depend_on_the_clock(ready: Workspace, second: Workspace) -> None:
    """Nor does that of the whole run, over everything published."""
    second.write("observer_reviews.jsonl", ROWS)
    later = second.passed(recorded_at=RECORDED_AT + timedelta(days=1))
    earlier = ready.warehouse.snapshot()
    assert second.hashes() == ready.hashes()
    assert hashes(later.receipts) == hashes(ready.warehouse.receipts(earlier.run_id))
    assert later.summary["run_hash"] == earlier.run_hash


def test_hashes_do_not_depend_on_the_order_in_which_rows_came(workspace: Workspace, second: Workspace) -> None:
    for name, rows in (("b", ROWS[2:]), ("a", ROWS[:2])):
        workspace.write(f"observer_reviews/{name}.jsonl", rows)
        grown = workspace.passed(threads=1)
    for name, rows in (("a", ROWS[:2]), ("b", ROWS[2:])):
        second.write(f"observer_reviews/{name}.jsonl", rows)
    at_once = second.passed(threads=2)
    assert hashes(grown.receipts) == hashes(at_once.receipts)
    assert grown.summary["run_hash"] == at_once.summary["run_hash"]


TEXTS = st.sampled_from(
    [None, "", "a", "\x00", "\x1f", "a\x1f", "\x1fa", '"', "null", "0", "a\x1fa", "[]", "\\", "é", "e\u0301"]
)
CONTENTS = st.fixed_dictionaries(
    {
        "subject": TEXTS,
        "model_name": TEXTS,
        "content": TEXTS,
        "cited_paths": st.lists(st.sampled_from(["", "a", "\x1f", "a,b", '"', "b"]), max_size=2),
        "attempts": st.sampled_from([None, 0, 1, -1]),
        "gap_signals": st.sampled_from([None, 0, 1]),
        "events_ok": st.sampled_from([None, True, False]),
        "cost_usd": st.sampled_from([None, 0.0, 1.0, 0.1, 1e300]),
        "occurred_at": st.sampled_from([RECORDED_AT, RECORDED_AT + timedelta(microseconds=1), datetime(1, 1, 1, tzinfo=UTC)]),
    }
)


@settings(max_examples=15)
@given(st.lists(CONTENTS, min_size=2, max_size=30))
def test_rows_that_differ_have_different_digests(rows: list[dict[str, Any]]) -> None:
    table = load([builtin_sql()])["evidence.records"]
    nullable = pa.schema([field.with_nullable(True) for field in table.schema])
    with gate_engine() as (engine, _):
        engine.bind_arrow("evidence.records", pa.Table.from_pylist(rows, schema=nullable))
        found = [row["digest"] for row in engine.rows(f"select {row_digest(table)} as digest from evidence.records")]
    distinct = {json.dumps(row, default=str, sort_keys=True): digest for row, digest in zip(rows, found, strict=True)}
    assert len(set(found)) == len(set(distinct.values())) == len(distinct)


# --- a run that fails -------------------------------------------------------------------------------------


def test_strict_allows_no_skip_and_publishes_nothing(ready: Workspace) -> None:
    before = (ready.files(), ready.warehouse.snapshot())
    ready.write("observer_reviews.jsonl", ["{", review("t9", "accept", "new", 9)])
    outcome = ready.run(strict=True)
    assert isinstance(outcome.failure, GateError)
    assert statuses(outcome) == {"collect": "failed"} | dict.fromkeys(STAGES[1:], "not_run")
    assert not outcome.summary["overall_passed"]
    assert outcome.summary["run_hash"] is None
    error = outcome.receipts[0]["validation"]["errors"][0]
    assert error.startswith("2 lines were skipped, and --strict allows none: observer_reviews.jsonl:5 (missing_timestamp")
    assert "observer_reviews.jsonl:6 (invalid_json: " in error
    holds_reports(ready, outcome)
    assert (ready.files(), ready.warehouse.snapshot()) == before
    assert not (ready.settings.reports / outcome.run_id / "drift.json").exists()
    done = ready.passed()
    assert done.receipts[0]["record_counts"]["out"] == 5
    assert any("2 lines were skipped" in text for text in done.receipts[0]["validation"]["warnings"])


def test_a_failed_stage_stops_its_dependants_and_no_others(ready: Workspace, tmp_path: Path) -> None:
    files = ready.files()
    sql = copied_sql(tmp_path / "sql")
    (sql / "checks/rag_conservation.sql").write_text("-- Never.\n-- version: 2\n-- stage: export-rag\nselect 1 as wrong\n")
    edit(sql / "2_scored/observer_reviews.sql", "'observer_cycle'", "'observer_went_round'")
    outcome = ready.run(sql=sql)
    of_rag = dict.fromkeys(("extract-playbooks", "index"), "not_run")
    others = dict.fromkeys(("export-sft", "export-preference"), "ran")
    assert statuses(outcome) == {"collect": "unchanged", "score": "ran", "export-rag": "failed"} | others | of_rag
    holds_reports(ready, outcome)
    (sql / "checks/category_domain.sql").write_text("-- Never.\n-- version: 2\n-- stage: score\nselect 1 as wrong\n")
    outcome = ready.run(sql=sql)
    assert statuses(outcome) == {"collect": "unchanged", "score": "failed"} | dict.fromkeys(STAGES[2:], "not_run")
    assert outcome.failure is not None and outcome.failure.exit_code == 1
    assert "category_domain" in str(outcome.failure)
    assert ready.files() == files


def test_the_first_stage_that_failed_is_named_although_another_failed_before_it(ready: Workspace, tmp_path: Path) -> None:
    """Exports begin one after the other, and their checks come when all have begun."""
    sql = copied_sql(tmp_path / "sql")
    (sql / "checks/rag_conservation.sql").write_text("-- Never.\n-- version: 2\n-- stage: export-rag\nselect 1 as wrong\n")
    edit(sql / "3_exports/sft.sql", "gates.reason is null", "gates.reason is null and nonsense(1)")
    edit(sql / "2_scored/observer_reviews.sql", "'observer_cycle'", "'observer_went_round'")
    outcome = ready.run(sql=sql)
    done = {"export-rag": "failed", "export-sft": "failed", "export-preference": "ran"}
    assert statuses(outcome).items() >= done.items()
    assert [receipt["stage"] for receipt in outcome.receipts] == list(STAGES)
    assert isinstance(outcome.failure, GateError) and "rag_conservation" in str(outcome.failure)


def test_how_long_a_stage_took_leaves_out_the_turns_of_others(ready: Workspace) -> None:
    ready.write("observer_reviews.jsonl", [review("t9", "accept", "new", 9)])
    outcome = ready.passed()
    begun = [receipt["started_at"] for receipt in outcome.receipts]
    ended = {receipt["stage"]: receipt["ended_at"] for receipt in outcome.receipts}
    assert begun == sorted(begun) and ended["export-rag"] > outcome.receipts[STAGES.index("export-preference")]["started_at"]
    assert ended["export-preference"] <= outcome.receipts[STAGES.index("extract-playbooks")]["started_at"]
    whole = datetime.fromisoformat(outcome.summary["ended_at"]) - datetime.fromisoformat(outcome.summary["started_at"])
    assert 0 < sum(receipt["duration_ms"] for receipt in outcome.receipts) <= whole / timedelta(milliseconds=1)


def test_a_failed_command_says_so_without_a_traceback(ready: Workspace) -> None:
    ready.write("observer_reviews.jsonl", ["{"])
    done = ready.command("run-all", "--strict")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "--strict allows none: " in done.stderr
    assert "not_run" in done.stdout


# --- drift ------------------------------------------------------------------------------------------------


def levels(outcome: Outcome) -> dict[str, str]:
    """Returns the metrics that are worth a look."""
    assert outcome.drift is not None
    return {row["metric"]: row["level"] for row in outcome.drift["metrics"] if row["level"] != "ok"}


def test_a_swing_beyond_the_threshold_is_worth_a_warning(ready: Workspace) -> None:
    assert json.loads(next(ready.settings.reports.glob("*/drift.json")).read_text())["level"] == "ok"
    ready.write("observer_reviews.jsonl", [review("t1", "accept", "new", 5)])
    narrow = ready.passed(drift_threshold=24.9)
    assert narrow.drift is not None and narrow.drift["level"] == "warn"
    assert {"collect/out", "score/out", "score/category/accepted", "export-rag/out"} <= levels(narrow).keys()
    assert "score/category/rejected" not in levels(narrow)
    (row,) = (row for row in narrow.drift["metrics"] if row["metric"] == "score/out")
    assert (row["before"], row["after"], row["pct_change"], row["cause"]) == (4, 5, 25.0, "input")
    ready.write("observer_reviews.jsonl", [review("t4", "reject", "worse", 6), "{"])
    wide = ready.passed(drift_threshold=100.0)
    assert levels(wide) == {"collect/reason/invalid_json": "warn"}


def test_landing_alone_is_no_drift(ready: Workspace) -> None:
    assert levels(ready.passed("land")) == {}
    assert levels(ready.passed()) == {}
    ready.write("observer_reviews.jsonl", [review("t4", "reject", "worse", 6)])
    drift = ready.passed("land").drift
    assert drift is not None
    assert {row["table"]: row["cause"] for row in drift["tables"] if row["added"]} == {"raw.lines": "input"}


def test_another_result_from_the_same_input_and_sql_is_an_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is gone, so the stage runs again; it must decide again too, though nothing that it reads has changed."""
    monkeypatch.setattr("pipeline.export.scope.find", lambda *_: None)
    sql = copied_sql(tmp_path / "sql")
    edit(sql / "3_exports/rag.sql", "[records.source]", "[records.source || random()]")
    workspace = filled(tmp_path / "work", sql=sql)
    before, published = workspace.rows("exports.rag"), len(workspace.warehouse.snapshots())
    (workspace.settings.exports / "rag/playbooks.jsonl").unlink()
    outcome = workspace.run(sql=sql)
    assert outcome.drift is not None
    assert (outcome.drift["level"], outcome.drift["deterministic_violation"]) == ("alert", True)
    assert outcome.failure is not None and outcome.failure.exit_code == 1
    assert not outcome.summary["overall_passed"]
    holds_reports(workspace, outcome)
    assert (workspace.rows("exports.rag"), len(workspace.warehouse.snapshots())) == (before, published)
