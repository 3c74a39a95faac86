"""The log of replays: rows and lines say the same, land once, heal after a kill, and do not grow without bound."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from pipeline.audit import audit, checks
from pipeline.errors import GateError, LockedError
from pipeline.reader import Warehouse
from pipeline.replay import Asked, Replayed, log, replay
from pipeline.store.delta import locked
from pipeline.upkeep.vacuuming import vacuum
from tests.conftest import Silent, Workspace
from tests.replay.scene import BAD, TASK, good, logged
from tests.replay.stub import serving


def replayed(workspace: Workspace, *answers: str, **how: Any) -> Replayed:
    with serving(*answers) as stub:
        asked = Asked(TASK, model="m", base_url=stub.url, **how)
        return replay(Warehouse(workspace.settings.warehouse), workspace.data, asked)


def score_of(workspace: Workspace, run_id: str) -> tuple[str, list[str]]:
    (row,) = [row for row in workspace.rows("scored.runs") if row["run_id"] == run_id]
    return row["category"], row["reasons"]


def outcome(task_id: str, at: str = "2030-01-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    return {"created_at": at, "task_id": task_id, "run_id": f"{task_id}-{at}", "all_events_ok": True, "gap_signals": 0} | more


def test_it_lands_like_any_stream_and_waits(ready: Workspace) -> None:
    passed, refused = replayed(ready, good(ready)), replayed(ready, BAD)
    ready.passed()
    records = {row["run_id"]: row for row in ready.rows("evidence.records") if row["source"] == log.STREAM}
    held = records[passed.last["run_id"]]
    assert (held["task_id"], held["instruction"], held["content"]) == (passed.last["replay_id"], TASK, passed.last["answer"])
    assert (held["model_name"], held["prompt_tokens"], held["verdict"], held["attempts"]) == ("m", 11, "passed", 1)
    assert score_of(ready, passed.last["run_id"]) == ("needs_human_review", ["gate_is_no_proof"])
    assert score_of(ready, refused.last["run_id"]) == ("rejected", ["gate_refused"])
    exported = [row["source_run_id"] for name in ("rag", "sft") for row in ready.rows(f"exports.{name}")]
    assert not {passed.last["run_id"], refused.last["run_id"]} & set(exported)


def test_only_what_is_outside_confirms(ready: Workspace) -> None:
    task = (run := replayed(ready, good(ready)).last)["replay_id"]
    replayed(ready, good(ready))
    model = {"ts": "2030-01-01T00:00:00Z", "task_id": task, "file": "x", "verdict": "accept", "notes": "fine", "model": "judge"}
    ready.write("observer_reviews.jsonl", [model])
    ready.write("outcomes.jsonl", [outcome(task, "2020-01-01T00:00:00Z")])
    ready.write("mode_experiments.jsonl", [{"created_at": "2030-01-01T00:00:00Z", "task_id": task, "text": "t"}])
    copied = run | {
        "run_id": "mine",
        "note": "an answer that says of itself that it is fine",
        "created_at": "2030-01-01T00:00:00Z",
    }
    ready.write("replay_runs.jsonl", [copied])
    ready.passed()
    assert score_of(ready, run["run_id"]) == ("needs_human_review", ["gate_is_no_proof"])
    ready.write("outcomes.jsonl", [outcome(task)])
    ready.passed()
    assert score_of(ready, run["run_id"]) == ("accepted", ["confirmed_outside"])
    assert run["run_id"] in [row["source_run_id"] for row in ready.rows("exports.sft")]
    ready.write("auto_apply.jsonl", [{"ts": "2031-01-01T00:00:00Z", "task_id": task, "action": "tests_reverted", "file": "x"}])
    ready.passed()
    assert score_of(ready, run["run_id"]) == ("partially_accepted", ["outside_mixed"])


def test_a_person_refutes(ready: Workspace) -> None:
    run = replayed(ready, good(ready)).last
    person = {
        "ts": "2030-01-01T00:00:00Z",
        "task_id": run["task_id"],
        "file": "x",
        "verdict": "reject",
        "notes": "no",
        "model": " ",
    }
    ready.write("observer_reviews.jsonl", [person])
    ready.passed()
    assert score_of(ready, run["run_id"]) == ("rejected", ["refuted_outside"])


def test_a_file_that_is_full_is_left_alone(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 1)
    for _ in range(3):
        replayed(ready, BAD)
        ready.passed()
    names = [path.relative_to(ready.data).as_posix() for path in log.files_of(ready.data)]
    assert names == ["replay_runs.jsonl", "replay_runs/00000002.jsonl", "replay_runs/00000003.jsonl"]
    landed = [row for row in ready.rows("raw.lines") if row["source"] == log.STREAM]
    assert sorted(row["source_file"] for row in landed) == names
    monkeypatch.setattr(log, "KEPT_FILES", 1)
    replayed(ready, BAD)
    names = [path.relative_to(ready.data).as_posix() for path in log.files_of(ready.data)]
    assert names == ["replay_runs/00000003.jsonl", "replay_runs/00000004.jsonl"]
    ready.passed()
    assert len([row for row in ready.rows("evidence.records") if row["source"] == log.STREAM]) == 4


def test_a_full_file_that_has_not_landed_stays(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 1)
    monkeypatch.setattr(log, "KEPT_FILES", 1)
    for _ in range(4):
        replayed(ready, BAD)
    assert len(log.files_of(ready.data)) == 4


def test_the_table_keeps_the_newest_rows_in_few_files(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_FILES", 4)
    monkeypatch.setattr(log, "KEPT_ROWS", 3)
    kept = [replayed(ready, BAD).last["replay_id"] for _ in range(8)]
    held = ready.warehouse.store.read(log.TABLE)
    assert len(held.files) < 4
    rows = {row["replay_id"] for row in ready.rows(log.TABLE)}
    assert set(kept[-3:]) <= rows and len(rows) <= 6 and len(logged(ready)) == 8
    before = list((ready.settings.warehouse / "replay/runs").glob("*.parquet"))
    ready.passed()
    vacuum(ready.settings, 1, 0, Silent())
    after = list((ready.settings.warehouse / "replay/runs").glob("*.parquet"))
    assert len(after) < len(before) and {row["replay_id"] for row in ready.rows(log.TABLE)} == rows


KILLED = """
import os, signal, sys
from pipeline.replay import log
from pipeline.cli import main
log.write_lines = lambda data, lines: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""


def test_killed_between_row_and_line(ready: Workspace) -> None:
    replayed(ready, BAD)
    with serving(good(ready)) as stub:
        command = [sys.executable, "-c", KILLED, "replay", "--task", TASK, "--model", "m", "--base-url", stub.url]
        done = subprocess.run(command, env=ready.environment(), cwd=ready.root, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert (len(ready.rows(log.TABLE)), len(logged(ready))) == (2, 1)
    replayed(ready, BAD)
    assert [row["record"] for row in sorted(ready.rows(log.TABLE), key=lambda row: row["created_at"])] == [
        log.line_of(line) for line in logged(ready)
    ]
    assert len(logged(ready)) == 3


@pytest.mark.parametrize("keep", [1, 40, -1, 0])
def test_killed_in_the_middle_of_a_line(ready: Workspace, keep: int) -> None:
    first = replayed(ready, BAD).last
    second = replayed(ready, good(ready))
    whole = second.log.read_bytes()
    start = whole.index(b"\n") + 1
    second.log.write_bytes(whole[: start + keep] if keep > 0 else whole[: len(whole) + keep] if keep else whole)
    third = replayed(ready, BAD).last
    assert logged(ready) == [first, second.last, third]
    ready.passed()
    assert {row["source"] for row in ready.rows("evidence.skips")} == set()


def test_a_partial_line_that_was_seen_by_a_run(ready: Workspace) -> None:
    second = replayed(ready, good(ready))
    whole = second.log.read_bytes()
    second.log.write_bytes(whole[:50])
    ready.passed()
    replayed(ready, BAD)
    ready.passed()
    assert len([row for row in ready.rows("evidence.records") if row["source"] == log.STREAM]) == 2


def test_a_warehouse_that_is_busy(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "PATIENCE_SECONDS", 0.1)
    with locked(ready.settings.warehouse), pytest.raises(LockedError):
        replayed(ready, BAD)
    assert logged(ready) == []


def test_a_record_of_another_shape_is_not_written(ready: Workspace) -> None:
    record = replayed(ready, BAD).last
    with pytest.raises(GateError):
        log.append(ready.warehouse, ready.data, [record | {"verdict": "great"}])
    assert len(logged(ready)) == 1


def test_a_restore_leaves_the_log_alone(ready: Workspace) -> None:
    replayed(ready, BAD)
    ready.passed()
    replayed(ready, BAD)
    done = ready.command("restore", "--to", "1 run ago")
    assert done.returncode == 0, done.stderr
    assert len(ready.rows(log.TABLE)) == 2 and len(ready.warehouse.sql("select * from replay.runs")) == 2


def rewrite(workspace: Workspace, **changes: Any) -> None:
    """Changes the one row inside its Parquet file, past Delta."""
    (name, *_) = DeltaTable(str(workspace.settings.warehouse / "replay/runs")).file_uris()
    held = pq.read_table(name)
    rows = held.to_pylist()
    record = json.loads(rows[0]["record"]) | {key: value for key, value in changes.items() if key != "column"}
    row = rows[0] | {"record": json.dumps(record)} | {key: value for key, value in changes.items() if key in rows[0]}
    row |= changes.get("column", {}) | ({"findings": rows[0]["findings"]} if "findings" in changes else {})
    pq.write_table(pa.Table.from_pylist([{key: row[key] for key in held.schema.names}], schema=held.schema), name)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "Another task"}, "task_hash"),
        ({"answer": "Another answer"}, "judged again"),
        ({"prompt_hash": "0" * 64}, "prompt_hash"),
        ({"verdict": "passed"}, "judged again"),
        ({"extra": 1}, "schema"),
        ({"column": {"model": "another"}}, "another model than its columns"),
        ({"column": {"record": "{"}}, "no JSON"),
    ],
    ids=str,
)
def test_the_audit_finds_it(ready: Workspace, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str) -> None:
    monkeypatch.setattr(checks, "acceptance", SimpleNamespace(examine=lambda sql: []))
    replayed(ready, BAD)
    found = {result.name: result for result in audit(ready.settings, Silent()).results}
    assert found["replay_log"].findings == () and found["schemas"].findings == ()
    rewrite(ready, **changes)
    found = {result.name: result for result in audit(ready.settings, Silent()).results}
    assert said in " ".join(found["replay_log"].findings)


def test_answers_of_another_gate_are_a_warning(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "acceptance", SimpleNamespace(examine=lambda sql: []))
    replayed(ready, BAD)
    rewrite(ready, gate="0:0123456789abcdef", verdict="passed", answer="x")
    found = {result.name: result for result in audit(ready.settings, Silent()).results}
    assert found["replay_log"].findings == () and "another gate" in found["replay_log"].warnings[0]


def test_a_warehouse_that_an_older_release_made(ready: Workspace) -> None:
    shutil.rmtree(ready.settings.warehouse / "replay")
    assert ready.warehouse.sql("select * from replay.runs").num_rows == 0 and ready.warehouse.tables()
    assert ready.command("replay-trend").returncode == 3
    replayed(ready, BAD)
    assert len(ready.rows(log.TABLE)) == 1
    ready.passed()


def test_nothing_is_replayed_yet(ready: Workspace, tmp_path: Path) -> None:
    assert "nothing was replayed yet" in ready.command("replay-trend").stdout
    assert ready.command("replay-trend", "--warehouse", str(tmp_path / "none")).returncode == 3
