"""The oracle itself, held against cases worked out by hand from the contracts page."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import Expected, Options, expected
from tests.oracle.messy import KNOWN_PATHS, write_messy
from tests.oracle.values import read_time

TS = "2026-04-27T03:33:53Z"


def run(data_dir: Path, files: dict[str, bytes | list[dict[str, Any]]], **flags: Any) -> Expected:
    """The oracle's answer for these files; a list of rows is written as one JSON object a line."""
    for name, content in files.items():
        path = data_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = content if isinstance(content, list) else []
        path.write_bytes(content if isinstance(content, bytes) else b"".join(json.dumps(r).encode() + b"\n" for r in rows))
    return expected(data_dir, Options(**flags))


def only(data_dir: Path, stream: str, **row: Any) -> dict[str, Any]:
    """The one record, with category and reasons, that a row becomes."""
    result = run(data_dir / stream, {f"{stream}.jsonl": [row]})
    assert len(result.records) == 1, result.skips
    return result.records[0] | result.scored[0]


# --- section 1: landing


def test_physical_lines_keep_offsets_and_exact_bytes(tmp_path: Path) -> None:
    result = run(tmp_path, {"x.jsonl": b'{"a":1}\r\n\n \t\n{"b":\xe2\x80\xa82}\n\xc2\xa0\n{"c":3}'})
    assert [(line["line_offset"], line["line"], line["status"]) for line in result.lines] == [
        (0, b'{"a":1}', "object"),
        (3, b'{"b":\xe2\x80\xa82}', "invalid_json"),
        (4, b"\xc2\xa0", "invalid_json"),
        (5, b'{"c":3}', "object"),
    ]
    assert result.blank_lines == {"x": 2}
    assert result.unmapped == ["x"]
    assert result.lines[0]["line_sha256"] == hashlib.sha256(b'{"a":1}').hexdigest()


def test_statuses(tmp_path: Path) -> None:
    deep = b'{"a":' + b"[" * 511 + b"]" * 511 + b"}"
    lines = {
        b'{"a":"\xff"}': "invalid_utf8",
        b'{"a":NaN}': "invalid_json",
        b'{"a":1,}': "invalid_json",
        b'{"a":' + b"1" * 4301 + b"}": "invalid_json",
        b'{"a":' + b"1" * 4300 + b"}": "object",
        b'{"a":1e400}': "object",
        deep: "object",
        b'{"a":' + b"[" * 512 + b"]" * 512 + b"}": "invalid_json",
        b'{"a":"' + b"[" * 600 + b'\\""}': "object",
        b"[" * 100_000: "invalid_json",
        b"[1]": "not_an_object",
        b"null": "not_an_object",
    }
    result = run(tmp_path, {"x.jsonl": b"\n".join(lines) + b"\n"})
    assert [line["status"] for line in result.lines] == list(lines.values())
    assert [line["sig_hash"] is not None for line in result.lines] == [s == "object" for s in lines.values()]


def test_partial_tails(tmp_path: Path) -> None:
    result = run(tmp_path, {"x/a.jsonl": b'{"a":1}\n{"b"', "x/b.jsonl": b"7", "y.jsonl": b'{"a":"\xc3'})
    assert result.partial_tails == ["x/a.jsonl", "y.jsonl"]
    assert [(line["source_file"], line["line"]) for line in result.lines] == [
        ("x/a.jsonl", b'{"a":1}'),
        ("x/b.jsonl", b"7"),
    ]
    assert result.blank_lines == {"x": 0, "y": 0}


def test_streams_are_files_and_folders(tmp_path: Path) -> None:
    row = json.dumps({"ts": TS, "task_id": "t"}).encode() + b"\n"
    files: dict[str, bytes | list[dict[str, Any]]] = {
        "audits.jsonl": row,
        "audits/2026/a.jsonl.gz": gzip.compress(row) + gzip.compress(b'{"ts":0,"task_id":"t"}\n'),
        "audits/notes.txt": row,
        "notes.txt": row,
    }
    result = run(tmp_path, files)
    assert [(line["source"], line["source_file"], line["line_offset"]) for line in result.lines] == [
        ("audits", "audits.jsonl", 0),
        ("audits", "audits/2026/a.jsonl.gz", 0),
        ("audits", "audits/2026/a.jsonl.gz", 1),
    ]
    assert result.deduped == {"audits": 1}
    assert [record["source_file"] for record in result.records] == ["audits.jsonl", "audits/2026/a.jsonl.gz"]


def test_sig_hash_is_over_canonical_text(tmp_path: Path) -> None:
    result = run(tmp_path, {"x.jsonl": b'{"b": 1.0, "a": "\\u00e9", "b": 2}\n{"a":"\\ud800"}\n{"a":1e400}\n'})
    canonical = ['{"a":"é","b":2}'.encode(), b'{"a":"\xed\xa0\x80"}', b'{"a":Infinity}']
    assert [line["sig_hash"] for line in result.lines] == [hashlib.sha256(c).hexdigest() for c in canonical]


# --- section 2: evidence


BROKEN_TIMES: list[object] = [
    *["", " ", "2026-04-27T24:00", "2026-04-27T03:33:60", "2026-02-30", "2026-04-27\n", "\uff12026-04-27"],
    *["2026-04-27T03:33+25:00", "0001-01-01T00:00+01:00", " 2026-04-27", "1777260833"],
    *[True, [], {}, -62135596801, 253402300800000, Decimal("1e999999")],
]


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("2026-04-27", "2026-04-27T00:00:00"),
        ("2026-04-27 03:33", "2026-04-27T03:33:00"),
        ("2026-04-27_03-33-53", "2026-04-27T03:33:53"),
        ("2026-04-27T03:33:53,123456999z", "2026-04-27T03:33:53.123456"),
        ("2026-04-27T03:33:53+0530", "2026-04-26T22:03:53"),
        ("2026-04-27T03:33:53-03", "2026-04-27T06:33:53"),
        (99999999999, "5138-11-16T09:46:39"),
        (100000000000, "1973-03-03T09:46:40"),
        (Decimal("1777260833.1234569"), "2026-04-27T03:33:53.123457"),
        (Decimal("1777260833123.4567"), "2026-04-27T03:33:53.123456"),
        (253402300799999, "9999-12-31T23:59:59.999000"),
        *zip(BROKEN_TIMES, [None] * len(BROKEN_TIMES), strict=True),
    ],
)
def test_times(value: object, iso: str | None) -> None:
    assert read_time(value) == (None if iso is None else datetime.fromisoformat(iso).replace(tzinfo=UTC))


def test_skip_reasons_in_their_order(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"run_id": None, "ts": None},
        {"run_id": " "},
        {"run_id": None, "ts": True},
        {"run_id": 5.5, "ts": TS, "task_id": " "},
    ]
    result = run(tmp_path, {"audits.jsonl": [*rows, rows[0], {"ts": TS}]})
    assert [skip["reason"] for skip in result.skips] == [
        "missing_timestamp",
        "missing_timestamp",
        "invalid_timestamp",
        "schema_violation",
        "missing_timestamp",
    ]
    assert result.deduped == {"audits": 0}
    assert [record["line_offset"] for record in result.records] == [5]


def test_run_and_task_fall_back(tmp_path: Path) -> None:
    made = only(tmp_path, "scrum_reviews", created_at=TS, task_id="\t", file=" ", File="f")
    assert made["run_id"] == f"scrum_reviews:{made['sig_hash'][:16]}" == made["task_id"]
    by_file = only(tmp_path, "scrum_reviews", created_at=TS, task_id=5.5, file=" f", run_id=True)
    assert (by_file["run_id"], by_file["task_id"], by_file["instruction"]) == (None, " f", "Review  f")
    assert by_file["mistyped_fields"] == ["run_id", "task_id"]
    numbered = only(tmp_path, "scrum_reviews", created_at=TS, task_id=5, file="f", run_id=7.0)
    assert (numbered["run_id"], numbered["task_id"], numbered["mistyped_fields"]) == ("7", "5", [])
    blank = only(tmp_path, "scrum_reviews", created_at=TS, task_id="\u00a0", file="f", run_id="\u200b")
    assert (blank["run_id"], blank["task_id"]) == (None, "f")


def test_numbers_and_texts_of_the_wrong_type_are_null(tmp_path: Path) -> None:
    line = b'{"ts":0,"prompt_tokens":3.0,"completion_tokens":3.7,"latency_ms":true,"cost_usd":1e400,"model":5}'
    more = b'{"ts":0,"prompt_tokens":9007199254740992.0,"completion_tokens":1e19,"latency_ms":"5"}'
    first, second = run(tmp_path, {"audit_facts.jsonl": line + b"\n" + more}).records
    columns = ("prompt_tokens", "completion_tokens", "latency_ms", "cost_usd", "model_name")
    assert [first[column] for column in columns] == [3, None, None, None, None]
    assert [second[column] for column in columns] == [2**53, None, None, None, None]


def test_a_lone_surrogate_becomes_the_replacement_character(tmp_path: Path) -> None:
    record = only(tmp_path, "distilled_facts", created_at=0, text="a\ud800", cited_paths=["p", " ", 1, "p"])
    assert (record["content"], record["cited_paths"]) == ("a\ufffd", ["p", "p"])


def test_audits_columns(tmp_path: Path) -> None:
    both = only(tmp_path, "audits", ts=0, phase=3, topic="T", evidence="E", resolution="R", finding_id=17)
    assert (both["instruction"], both["content"], both["run_id"], both["task_id"]) == (
        "Audit phase 3: T",
        "E\n\nResolution: R",
        "17",
        "T",
    )
    bare = only(tmp_path, "audits", ts=0, topic="T", evidence=" ", resolution="R", run_id="", finding_id="f")
    assert (bare["instruction"], bare["content"], bare["run_id"]) == (None, None, None)
    alone = only(tmp_path, "audits", ts=0, topic="T", evidence=" ", severity=" Low\n", verdict="\u00a0X")
    assert (alone["content"], alone["severity"], alone["verdict"]) == (" ", "low", "\u00a0x")


def test_columns_of_the_other_streams(tmp_path: Path) -> None:
    facts = only(tmp_path, "audit_facts", ts=0, facts=["a", 1, ""])
    assert facts["content"] == "a\n"
    checkpoint = only(
        tmp_path,
        "agent_checkpoints",
        created_at=0,
        checkpoint_id="c",
        session_id="s",
        files_touched=["f"],
        run_id="x",
    )
    assert (checkpoint["run_id"], checkpoint["cited_paths"], checkpoint["task_id"]) == ("c/s", ["f"], "c/s")
    review = only(tmp_path, "code_reviews", collected_at=0, pr="p", pr_title=" ", tool="T", model="M", severity="")
    assert (review["instruction"], review["model_name"], review["severity"]) == (
        "Review pull request: p",
        "T",
        None,
    )
    run_ = only(tmp_path, "optimization_runs", timestamp=0, evaluation={"status": "Success", "improvement": True})
    assert (run_["verdict"], run_["events_ok"], run_["category"]) == ("success", True, "accepted")
    contract = only(tmp_path, "contract_analyses", created_at=0, failure_markers=["b", "a", "b", " ", 1])
    assert (contract["failure_markers"], contract["reasons"]) == (
        ["a", "b"],
        ["failure_marker:a", "failure_marker:b"],
    )


# --- section 3: scores


@pytest.mark.parametrize(
    ("stream", "row", "category", "reasons"),
    [
        ("scrum_reviews", {"accepted": False, "accepted_on_attempt": 1}, "rejected", ["review_not_accepted"]),
        ("scrum_reviews", {"accepted_on_attempt": 1.0}, "accepted", ["accepted_on_attempt_1"]),
        (
            "scrum_reviews",
            {"accepted_on_attempt": 4},
            "partially_accepted",
            ["accepted_on_attempt_4", "high_cost"],
        ),
        ("scrum_reviews", {"accepted_on_attempt": True}, "needs_human_review", ["unreadable_verdict"]),
        ("observer_reviews", {"verdict": " CYCLE"}, "partially_accepted", ["observer_cycle"]),
        ("audits", {"severity": "minor", "verdict": "fail"}, "rejected", ["legacy_fail"]),
        ("audits", {"severity": "High", "verdict": "pass"}, "rejected", ["severity_high"]),
        ("auto_apply", {"action": "X_Reverted "}, "rejected", ["x_reverted"]),
        ("outcomes", {"gap_signals": 1, "all_events_ok": True}, "partially_accepted", ["gap_signals"]),
        ("outcomes", {"gap_signals": 0, "all_events_ok": True}, "accepted", ["all_events_ok"]),
        ("outcomes", {"all_events_ok": "true"}, "needs_human_review", ["unreadable_verdict"]),
        ("mode_experiments", {"text": " ", "latency_ms": 120001}, "rejected", ["empty_text"]),
        ("mode_experiments", {"text": "x", "latency_ms": 120001}, "partially_accepted", ["slow"]),
        ("mode_experiments", {"text": "x", "latency_ms": 120000}, "needs_human_review", ["no_verdict"]),
        (
            "mode_experiments",
            {"text": "x", "validation_results": {"grounded_fraction": 0.8}},
            "accepted",
            ["grounded"],
        ),
        (
            "mode_experiments",
            {"text": "x", "validation_results": {"grounded_fraction": 0}},
            "rejected",
            ["ungrounded"],
        ),
        ("agent_checkpoints", {"outcome": "no_commit", "branch": "b"}, "needs_human_review", ["no_commit"]),
        ("code_reviews", {"judgement": "false_positive"}, "rejected", ["judged_false_positive"]),
        (
            "optimization_runs",
            {"evaluation": {"status": "no_patch", "improvement": True}},
            "rejected",
            ["not_improved"],
        ),
        ("optimization_runs", {"agent_status": "success"}, "needs_human_review", ["not_evaluated"]),
        ("distilled_facts", {}, "needs_human_review", ["no_parent_verdict"]),
    ],
)
def test_scores(tmp_path: Path, stream: str, row: dict[str, Any], category: str, reasons: list[str]) -> None:
    record = only(tmp_path, stream, created_at=0, ts=0, collected_at=0, timestamp=0, **row)
    assert (record["category"], record["reasons"]) == (category, reasons)


def test_parents_decide(tmp_path: Path) -> None:
    verdicts = {"A": "accept", "R": "reject", "C": "cycle", "N": "none"}
    tasks = ["A", "AN", "R", "RC", "C", "AR", "N"]
    parents = [{"ts": n, "task_id": task, "verdict": verdicts[v]} for task in tasks for n, v in enumerate(task)]
    children = [{"created_at": 0, "task_id": task} for task in tasks]
    result = run(tmp_path, {"observer_reviews.jsonl": parents, "distilled_facts.jsonl": children})
    reasons = [row["reasons"][0] for row in result.scored if row["source"] == "distilled_facts"]
    accepted, rejected, mixed = "parent_accepted", "parent_rejected", "parents_mixed"
    assert reasons == [accepted, accepted, rejected, rejected, mixed, mixed, "no_parent_verdict"]


# --- section 4: exports


def review(n: int, verdict: str, notes: str | None, **more: Any) -> dict[str, Any]:
    """An observer review of task t at second n."""
    return {
        "ts": n,
        "run_id": f"r{n}",
        "task_id": "t",
        "prompt": "P",
        "verdict": verdict,
        "notes": notes,
    } | more


def test_row_gates_and_rows(tmp_path: Path) -> None:
    rows = [
        review(5, "accept", "same"),
        review(1, "cycle", "same"),
        review(2, "none", "other"),
        review(3, "reject", None, run_id=" "),
        review(4, "accept", " ", cited_paths=["bad"]),
        review(6, "accept", "good", cited_paths=["ok", "bad"]),
        review(7, "reject", "no"),
    ]
    result = run(tmp_path, {"observer_reviews.jsonl": rows}, known_paths=frozenset({"ok"}))
    stopped = {(row["export"], row["line_offset"]): row["reason"] for row in result.quarantine}
    assert {offset: reason for (export, offset), reason in stopped.items() if export == "rag"} == {
        1: "duplicate_id",
        2: "category_disallowed",
        3: "missing_source_run_id",
        4: "empty_content",
        5: "hallucinated_file_path",
        6: "unsafe_rag_category",
    }
    assert {offset: reason for (export, offset), reason in stopped.items() if export == "sft"} == {
        1: "category_disallowed",
        2: "unsafe_sft_category",
        3: "missing_source_run_id",
        4: "empty_content",
        5: "hallucinated_file_path",
        6: "unsafe_sft_category",
    }
    digest = hashlib.sha256(b"1:P\x1f4:same").hexdigest()[:16]
    assert result.sft == [
        {
            "schema_version": 1,
            "id": f"sft-{digest}",
            "instruction": "P",
            "context": "",
            "response": "same",
            "quality_score": "accepted",
            "source_run_id": "r5",
            "task_id": "t",
            "created_at": "1970-01-01T00:00:05.000000Z",
            "provenance": {
                "source_file": "observer_reviews.jsonl",
                "line_offset": 0,
                "sig_hash": result.lines[0]["sig_hash"],
            },
        }
    ]
    assert [(row["title"], row["tags"], row["source_category"]) for row in result.rag] == [
        ("t", ["observer_reviews"], "accepted")
    ]


def test_flags_let_more_through(tmp_path: Path) -> None:
    rows = [review(1, "cycle", "a"), review(2, "none", "b"), review(3, "reject", "c")]
    result = run(tmp_path, {"observer_reviews.jsonl": rows}, include_review=True, include_partial=True)
    assert sorted(row["content"] for row in result.rag) == ["a", "b"]
    assert [row["response"] for row in result.sft] == ["a"]
    assert {row["export"] for row in result.quarantine} == {"rag", "sft"}


def test_pairs_are_ordered_and_capped(tmp_path: Path) -> None:
    rows = [review(n, "accept", f"good {n}") for n in range(1, 4)]
    rows += [review(10 + n, "reject", f"bad {n}") for n in range(1, 3)]
    rows += [review(20, "cycle", "so-so", prompt=" ", file=" ")]
    result = run(tmp_path, {"observer_reviews.jsonl": rows}, pairs="task")
    pairs = {(row["chosen"][-1], row["rejected"][-1]) for row in result.preference}
    assert pairs == {("1", "1"), ("1", "2"), ("2", "1"), ("2", "2"), ("3", "1")}
    assert result.capped == 4
    assert [row for row in result.quarantine if row["export"] == "preference"] == []


def test_pair_gates(tmp_path: Path) -> None:
    rows = [
        review(1, "accept", "good", run_id="one"),
        review(2, "reject", "bad too", run_id="one"),
        review(3, "reject", " good\n", prompt="Q"),
        review(4, "cycle", "bad"),
        review(5, "cycle", "bad"),
        review(6, "reject", "\u00a0good"),
        review(7, "accept", "x", prompt=None),
        review(8, "none", None),
    ]
    result = run(tmp_path, {"observer_reviews.jsonl": rows}, pairs="task")
    stopped = [row for row in result.quarantine if row["export"] == "preference"]
    assert [(row["reason"], row["line_offset"]) for row in stopped] == [
        ("empty_content", 6),
        ("self_pairing", 0),
        ("invalid_preference_pairing", 0),
        ("duplicate_id", 0),
    ]
    assert sorted((row["rejected"], row["reason"]) for row in result.preference) == [
        ("bad", "accepted_over_partially_accepted"),
        ("\u00a0good", "accepted_over_rejected"),
    ]
    assert result.preference[0]["prompt"] == "P"


def test_a_pair_answers_one_question(tmp_path: Path) -> None:
    rows = [
        review(1, "accept", "good"),
        review(2, "reject", "bad", prompt=" P\n"),
        review(3, "reject", "worse", prompt="Q"),
        review(4, "cycle", "so-so", prompt="\t", file=" "),
        review(5, "accept", "fine", prompt="Q"),
        review(6, "reject", "no good", prompt="Q"),
    ]
    result = run(tmp_path, {"observer_reviews.jsonl": rows}, max_pairs=2)
    pairs = {(row["chosen"], row["rejected"], row["prompt_match"], row["rejected_prompt"]) for row in result.preference}
    assert pairs == {("good", "bad", "same", " P\n"), ("fine", "worse", "same", "Q")}
    assert result.capped == 1
    whole = run(tmp_path, {"observer_reviews.jsonl": rows}, pairs="task", max_pairs=100)
    assert Counter(row["prompt_match"] for row in whole.preference) == {"same": 3, "other": 3, "blank": 2}


def test_pairs_that_contradict_each_other_are_stopped(tmp_path: Path) -> None:
    rows = [
        review(1, "accept", "this"),
        review(2, "cycle", "that "),
        review(3, "accept", "that", task_id="u"),
        review(4, "cycle", " this", task_id="u", prompt=" P", run_id="r3"),
        review(5, "cycle", "neither"),
    ]
    result = run(tmp_path, {"observer_reviews.jsonl": rows})
    stopped = [(row["reason"], row["line_offset"]) for row in result.quarantine if row["export"] == "preference"]
    assert stopped == [("conflicting_verdict", 0), ("self_pairing", 2)]
    assert [row["rejected"] for row in result.preference] == ["neither"]


def test_what_was_rejected_or_decided_against_is_taught_nowhere(tmp_path: Path) -> None:
    settled = {"ts": 1, "discrepancy_id": "d", "prompt": "P", "finding_a": "right", "finding_b": "wrong", "winner": "a"}
    settled |= {"settled_by": "person:ada", "run_a": "a", "run_b": "b"}
    rows = [
        review(1, "cycle", "wrong"),
        review(2, "cycle", "moot"),
        review(3, "reject", " moot", task_id="u"),
        review(4, "cycle", "right"),
    ]
    result = run(tmp_path, {"observer_reviews.jsonl": rows, "audit_discrepancies.jsonl": [settled]})
    reasons = [row["reason"] for row in result.quarantine if row["export"] == "rag"]
    assert sorted(reasons) == ["conflicting_verdict", "conflicting_verdict", "duplicate_id", "unsafe_rag_category"]
    assert [row["content"] for row in result.rag] == ["right"]


def test_ten_of_each_are_considered_and_a_lonely_task_is_left_alone(tmp_path: Path) -> None:
    rows = [review(n, "accept", f"good {n:02}") for n in range(12)] + [review(50, "reject", "bad")]
    rows += [review(60, "accept", None, task_id="lonely")]
    result = run(tmp_path, {"observer_reviews.jsonl": rows})
    assert (len(result.preference), result.capped) == (5, 5)
    assert [row for row in result.quarantine if row["export"] == "preference"] == []


# --- everything at once


@pytest.mark.parametrize("seed", range(3))
def test_messy_directories_add_up_and_reach_every_rule(tmp_path: Path, seed: int) -> None:
    write_messy(tmp_path, seed, rows=2500)
    options = Options(known_paths=KNOWN_PATHS, pairs="task")
    result = expected(tmp_path, options)
    landed = Counter(line["source"] for line in result.lines if line["source"] not in result.unmapped)
    settled = Counter(row["source"] for row in [*result.records, *result.skips])
    assert landed == settled + Counter(result.deduped)
    assert len(result.scored) == len(result.records)
    for export, rows in (("rag", result.rag), ("sft", result.sft)):
        stopped = [row for row in result.quarantine if row["export"] == export]
        assert len(rows) + len(stopped) == len(result.records)
    skipped = {skip["reason"] for skip in result.skips}
    assert skipped == {
        "invalid_utf8",
        "invalid_json",
        "not_an_object",
        "missing_timestamp",
        "invalid_timestamp",
        "schema_violation",
    }
    assert len({row["category"] for row in result.scored}) == 4
    assert {row["reason"] for row in result.quarantine} == {
        "missing_source_run_id",
        "empty_content",
        "unsafe_sft_category",
        "unsafe_rag_category",
        "invalid_preference_pairing",
        "hallucinated_file_path",
        "duplicate_id",
        "self_pairing",
        "category_disallowed",
        "conflicting_verdict",
    }
    assert len({row["reason"] for row in result.preference}) == 4
    assert result.rag and result.sft and result.preference and result.capped and result.partial_tails
    assert sum(result.deduped.values()) > 10


def test_messy_directories_are_the_same_for_a_seed(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        write_messy(tmp_path / name, seed=7, rows=200)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append([(path.relative_to(tmp_path / name), path.read_bytes()) for path in files])
    assert contents[0] == contents[1]
