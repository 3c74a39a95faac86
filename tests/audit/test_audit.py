"""`distill audit-full`: every check finds the harm that it is there for, and the history of audits can't be rewritten."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from pipeline.audit import audit, checks, examples
from pipeline.errors import UsageError
from pipeline.reports.receipts import SCHEMAS
from pipeline.store.marks import marked
from tests.conftest import Silent, Workspace
from tests.support.killing import review
from tests.support.rows import copied_sql, edit

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Workspace(tmp_path_factory.mktemp("published"))
    workspace.write("scrum_reviews.jsonl", [*(review(n) for n in range(12)), {"no": "time"}])
    workspace.passed()
    return workspace.root


@pytest.fixture
def ready(published: Path, tmp_path: Path) -> Workspace:
    return Workspace(published).copy(tmp_path)


@pytest.fixture(autouse=True)
def fixture_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The invariants have tests of their own; here one test runs them for real."""
    monkeypatch.setattr(checks, "acceptance", SimpleNamespace(examine=lambda sql: []))


def failed(workspace: Workspace, **changes: Any) -> dict[str, tuple[str, ...]]:
    """Returns what each check found wrong."""
    found = audit(replace(workspace.settings, **changes), Silent())
    return {result.name: result.findings for result in found.results if not result.passed}


def rewrite(workspace: Workspace, table: str, change: Callable[[Rows], Rows]) -> Path:
    """Changes rows inside the newest Parquet file of a table, past Delta."""
    folder = workspace.settings.warehouse / table.replace(".", "/")
    (name, *_) = DeltaTable(str(folder)).file_uris()
    held = pq.read_table(name)
    pq.write_table(pa.Table.from_pylist(change(held.to_pylist()), schema=held.schema), name)
    return Path(name)


def test_a_sound_warehouse(ready: Workspace) -> None:
    found = audit(ready.settings, Silent(), full=True)
    assert [result.findings for result in found.results] == [()] * 16
    assert [result.number for result in found.results] == list(range(1, 17))
    numbers = {metric.name: (metric.before, metric.now, metric.level) for metric in found.metrics}
    assert len(numbers) == 10
    assert numbers["p2_evidence_rows"] == (None, 12, "ok") and numbers["p2_skipped"] == (None, 1, "ok")
    assert "sound, 16/16" in (ready.settings.reports / "audit-full.md").read_text()
    (row,) = ready.rows("ops.audit_baselines")
    assert (row["passed"], row["p2_evidence_rows"], row["previous_sha256"]) == (True, 12, "0" * 64)


def test_an_invariant_that_does_not_hold(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = SimpleNamespace(number=9, name="one_score_per_record", passed=False)
    monkeypatch.setattr(checks, "acceptance", SimpleNamespace(examine=lambda sql: [verdict]))
    assert failed(ready) == {"acceptance": ("9 one_score_per_record does not hold",)}


def test_a_swing_is_a_warning_and_no_failure(ready: Workspace) -> None:
    audit(ready.settings, Silent())
    ready.write("scrum_reviews.jsonl", [review(n) for n in range(12, 24)])
    ready.passed()
    found = audit(ready.settings, Silent())
    levels = {metric.name: metric.level for metric in found.metrics}
    assert found.passed and levels["p2_evidence_rows"] == "warn" and levels["p2_skipped"] == "ok"
    calm = audit(replace(ready.settings, drift_threshold=1000.0), Silent())
    assert {metric.level for metric in calm.metrics} == {"ok"}


@dataclass(frozen=True)
class Harm:
    """What is done to a table's rows, and the checks that must see it."""

    table: str
    change: Callable[[Rows], Rows]
    seen_by: tuple[str, ...]


def first(**changes: Any) -> Callable[[Rows], Rows]:
    return lambda rows: [rows[0] | changes, *rows[1:]]


HARM = {
    "a skip is gone": Harm("evidence.skips", lambda rows: rows[1:], ("evidence_conservation", "files_equal_tables")),
    "a line was edited": Harm("raw.lines", first(line='{"a": 1}'), ("provenance_sample", "files_equal_tables")),
    "a line is gone": Harm("raw.lines", lambda rows: rows[1:], ("provenance_sample",)),
    "a record without a task": Harm("evidence.records", first(task_id=None), ("evidence_schema",)),
    "a score twice": Harm("scored.runs", lambda rows: [*rows, rows[0]], ("one_score_per_record",)),
    "a category of one's own": Harm("scored.runs", first(category="great"), ("category_domain", "rescoring_reproduces")),
    "another score": Harm("scored.runs", first(category="accepted", reasons=["x"]), ("rescoring_reproduces",)),
    "all rejected": Harm(
        "scored.runs",
        lambda rows: [row | {"category": "rejected"} for row in rows],
        ("sft_reread", "rag_reread", "preference_reread"),
    ),
    "another ledger": Harm("scored.model_ledger", first(accepted_low=0.5), ("rescoring_reproduces", "files_equal_tables")),
    "another text": Harm("exports.rag", first(content="other"), ("files_equal_tables",)),
    "a receipt less": Harm("ops.receipts", lambda rows: rows[1:], ("receipts_complete",)),
    "a receipt of another shape": Harm(
        "ops.receipts",
        lambda rows: [row | {"receipt": json.dumps({"output_hash": ""})} for row in rows],
        ("receipts_complete",),
    ),
}


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_found(ready: Workspace, harm: str) -> None:
    case = HARM[harm]
    rewrite(ready, case.table, case.change)
    found = failed(ready)
    assert set(case.seen_by) <= set(found), found
    assert ready.rows("ops.audit_baselines")[0]["passed"] is False
    assert [snapshot.is_good for snapshot in ready.warehouse.snapshots()] == [False]


@pytest.mark.parametrize("name", ["rag/playbooks.jsonl", "sft/instruction_response.jsonl", "preference/chosen_rejected.jsonl"])
def test_a_file_that_was_edited(ready: Workspace, name: str) -> None:
    path = ready.settings.exports / name
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[-1].replace(b'"id":"', b'"id":"z'))
    assert str(path) in failed(ready)["files_equal_tables"][0]
    path.unlink()
    assert str(path) in failed(ready)["files_equal_tables"][0]


def test_a_damaged_file_is_named(ready: Workspace) -> None:
    path = rewrite(ready, "evidence.records", lambda rows: rows)
    path.write_bytes(path.read_bytes()[:-20])
    found = failed(ready)
    assert path.name in " ".join(found["files_equal_tables"]) and "versions_lock" not in found


def test_a_stream_that_nobody_lists(ready: Workspace) -> None:
    table = DeltaTable(str(ready.settings.warehouse / "raw/files"))
    (row,) = table.to_pyarrow_table().to_pylist()
    ghost = pa.Table.from_pylist(
        [row | {"source": "ghost", "source_file": "ghost.jsonl"}], schema=table.to_pyarrow_table().schema
    )
    write_deltalake(table, ghost, mode="append", commit_properties=marked())
    assert "ghost" in failed(ready)["inventory"][0]


def test_a_model_that_is_not_locked(ready: Workspace, tmp_path: Path) -> None:
    sql = copied_sql(tmp_path / "sql")
    edit(sql / "2_scored/scrum_reviews.sql", "'accepted'", "'rejected'")
    assert "versions_lock" in failed(ready, sql=sql)


def test_a_schema_that_takes_anything(ready: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loose = tmp_path / "schemas"
    shutil.copytree(SCHEMAS, loose)
    path = loose / "run_summary.v1.json"
    path.write_text(path.read_text().replace('"additionalProperties": false,', "", 1))
    monkeypatch.setattr(examples, "SCHEMAS", loose)
    assert failed(ready) == {"schemas": ("run_summary.v1: takes its example with a member that nobody knows",)}


def test_the_history_of_audits_only_grows(ready: Workspace) -> None:
    for _ in range(3):
        assert failed(ready) == {}
    backup = ready.root / "backup"
    shutil.copytree(ready.settings.warehouse, backup)
    folder = ready.settings.warehouse / "ops/audit_baselines"
    some = "p2_skipped = 1 and previous_sha256 <> repeat('0', 64)"
    DeltaTable(str(folder)).delete(some)
    assert failed(ready) == {}, "what another tool took away is there again"
    DeltaTable(str(folder)).delete(some, commit_properties=marked())
    assert "receipts_complete" in failed(ready)
    shutil.rmtree(ready.settings.warehouse)
    shutil.copytree(backup, ready.settings.warehouse)
    rewrite(ready, "ops.audit_baselines", first(p2_skipped=7))
    assert "receipts_complete" in failed(ready)
    shutil.rmtree(ready.settings.warehouse)
    shutil.copytree(backup, ready.settings.warehouse)
    # The last audit is cut off with its commit: the copy beside the reports still has it.
    for path in sorted((folder / "_delta_log").glob("*.json"))[-1:]:
        path.unlink()
    assert "receipts_complete" in failed(ready)


def test_a_state_of_some_stages(workspace: Workspace) -> None:
    workspace.write("scrum_reviews.jsonl", [review(1)])
    for command in ("land", "build-evidence", "score"):
        workspace.passed(command)
        with pytest.raises(
            UsageError, match="export-rag, export-sft, export-preference, extract-playbooks, index: not done here yet"
        ):
            audit(workspace.settings, Silent())


def test_the_command(ready: Workspace) -> None:
    done = ready.command("audit-full", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["passed"] is True and len(document["checks"]) == 16 and len(document["metrics"]) == 10
    rewrite(ready, "scored.runs", first(category="accepted", reasons=["x"]))
    done = ready.command("audit-full")
    assert done.returncode == 1 and "/16 hold" in done.stdout and "FAILED" in done.stdout
    empty = Workspace(ready.root / "empty")
    assert empty.command("audit-full").returncode == 3
