"""The row gates of rag and sft: the first that a record fails names it, and every record is either out or stopped, once."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import Engine
from pipeline.export.corpora import bind_options
from pipeline.models import Library
from pipeline.run import Run
from pipeline.settings import Gates
from tests.conftest import Workspace
from tests.support.gates import CATEGORIES, gate_engine, gated, record
from tests.support.rows import review

Opened = tuple[Engine, Library]
BLANKS = (None, "", " ", " \t\n\r\f\v")


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with gate_engine() as held:
        yield held


# What is wrong with a record, in the order of the gates; each with the ways in which it can be. The category gate stands
# between the third and the fourth.
ROW_DEFECTS: dict[str, list[dict[str, Any]]] = {
    "missing_provenance": [{"lost": [name]} for name in ("sig_hash", "source_file", "line_offset")],
    "missing_source_run_id": [{"run_id": blank} for blank in BLANKS],
    "schema_violation": [
        *({"task_id": blank} for blank in BLANKS),
        {"occurred_at": None},
        {"category": "great"},
        {"category": None},
    ],
    "empty_content": [{"content": blank} for blank in BLANKS],
    "hallucinated_file_path": [{"cited_paths": ["known.py", "made up.py"]}, {"cited_paths": [" known.py"]}],
}
DEFECTS = st.fixed_dictionaries({}, optional={reason: st.sampled_from(ways) for reason, ways in ROW_DEFECTS.items()})
RECORDS = st.lists(st.tuples(st.sampled_from(CATEGORIES), DEFECTS), min_size=1, max_size=12)


def category_gate(export: str, category: str, review: bool, partial: bool) -> str | None:
    """The category gate, read off the table in contracts section 4."""
    if export == "rag":
        stopped = {"rejected": "unsafe_rag_category"} | ({} if review else {"needs_human_review": "category_disallowed"})
    else:
        stopped = dict.fromkeys(("rejected", "needs_human_review"), "unsafe_sft_category")
        stopped |= {} if partial else {"partially_accepted": "category_disallowed"}
    return stopped.get(category)


@settings(max_examples=40)
@given(rows=RECORDS, export=st.sampled_from(["rag", "sft"]), review=st.booleans(), partial=st.booleans(), known=st.booleans())
def test_the_first_gate_that_fails_names_the_reason(
    opened: Opened,
    rows: list[tuple[str, dict[str, dict[str, Any]]]],
    export: str,
    review: bool,
    partial: bool,
    known: bool,
) -> None:
    records, expected = [], []
    for number, (category, defects) in enumerate(rows):
        flaws = {name: value for flaw in defects.values() for name, value in flaw.items()}
        records.append(record(str(number), category, line_offset=number) | {"task_id": f"task {number}"} | flaws)
        reasons = {reason: reason for reason in defects if known or reason != "hallucinated_file_path"}
        reasons["category"] = category_gate(export, category, review, partial) or ""
        order = [*list(ROW_DEFECTS)[:3], "category", *list(ROW_DEFECTS)[3:]]
        expected.append(next((reasons[name] for name in order if reasons.get(name)), None))
    paths = ["known.py"] if known else None
    found = gated(opened, export, records, include_review=review, include_partial=partial, known_paths=paths)
    assert sorted(row["reason"] for row in found.stopped) == sorted(reason for reason in expected if reason)
    assert {row["source_run_id"] for row in found.out} == {
        row["run_id"] for row, reason in zip(records, expected, strict=True) if reason is None
    }
    assert len(found.out) + len(found.stopped) == len(records)


@pytest.mark.parametrize("export", ["rag", "sft"])
def test_of_records_with_one_id_the_best_and_earliest_is_kept(opened: Opened, export: str) -> None:
    """Worst first: each record that comes here takes the place of those before it."""
    same: dict[str, Any] = {"instruction": "ask", "content": "text"}
    worst_first = [
        record("f", "needs_human_review", second=0, **same),
        record("e", "partially_accepted", second=2, **same),
        record("d", "partially_accepted", second=1, **same),
        record("c", "accepted", second=5, source="z", **same),
        record("b2", "accepted", second=5, source="a", **same),
        record("b1", "accepted", second=5, source="a", **same),
        record("a", "accepted", second=4, source="z", **same),
    ]
    for count in range(1, len(worst_first) + 1):
        rows = worst_first[:count]
        found = gated(opened, export, rows, include_review=True, include_partial=True)
        best = rows[-1]["sig_hash"]
        if export == "sft" and count == 1:
            assert (found.out, found.reasons()) == ([], {best: "unsafe_sft_category"})
            continue
        assert [row["provenance"]["sig_hash"] for row in found.out] == [best]
        rest = {row["sig_hash"]: "duplicate_id" for row in rows[:-1]}
        if export == "sft":
            rest["sig-f"] = "unsafe_sft_category"
        assert found.reasons() == rest


@pytest.mark.parametrize("export", ["rag", "sft"])
def test_a_stopped_record_keeps_no_id_from_a_good_one(opened: Opened, export: str) -> None:
    first = record("first", "accepted", second=0, content="text", instruction="ask", cited_paths=["made up.py"])
    other = record("other", "accepted", second=1, content="text", instruction="ask")
    found = gated(opened, export, [first, other], known_paths=[])
    assert [row["source_run_id"] for row in found.out] == ["run-other"]
    assert found.reasons() == {"sig-first": "hallucinated_file_path"}


def test_ids_are_over_the_texts_alone(opened: Opened) -> None:
    rows = [
        record("1", "accepted", instruction="a", content="b\x1fc"),
        record("2", "accepted", instruction="a\x1fb", content="c"),
        record("3", "accepted", instruction="other", content="b\x1fc"),
        record("4", "accepted", instruction=None, content="é\x00"),
    ]
    rag, sft = (gated(opened, export, rows) for export in ("rag", "sft"))
    assert {row["id"] for row in rag.out} == {f"rag-{_hash(text)}" for text in ("b\x1fc", "c", "é\x00")}
    assert rag.reasons() == {"sig-3": "duplicate_id"}
    assert {row["id"] for row in sft.out} == {
        f"sft-{_hash(text)}" for text in ("1:a\x1f3:b\x1fc", "3:a\x1fb\x1f1:c", "5:other\x1f3:b\x1fc")
    }
    assert sft.reasons() == {"sig-4": "empty_content"}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_a_state_of_before_there_were_groups_is_held_to_whole_tasks(opened: Opened) -> None:
    engine, _ = opened
    for switches in ({}, {"include_review": True}):
        bind_options(cast(Run, SimpleNamespace(engine=engine, state={"switches": switches})))
        (options,) = engine.rows("select pairs, max_pairs from run.options")
        assert options == {"pairs": "task", "max_pairs": 5}


# --- through the whole pipeline ---------------------------------------------------------------------------

ROWS = [
    review("t1", "accept", "good", 1, cited_paths=["real.py"]),
    review("t1", "reject", "bad", 2),
    review("t1", "cycle", "so so", 3),
    review("t2", "", "unsure", 4),
    review("t2", "accept", "  ", 5, run_id="run-empty"),
    review("t2", "accept", "invented", 6, cited_paths=["real.py", "unreal.py"]),
    review("t2", "accept", "good", 7, run_id="run-again", prompt="Review t1.py"),
    review("t2", "accept", "nobody's", 8, run_id=" "),
    review("t3", "accept", "twin", 9, run_id="run-self"),
    review("t3", "reject", "twin brother", 10, run_id="run-self"),
    review("t3", "cycle", " twin\n", 11, run_id="run-echo"),
    review("t3", "accept", "moot", 12, prompt="ask"),
    review("t3", "reject", " moot\n", 13, prompt="\task"),
]
SHUT = {
    "rag": {
        "bad": "unsafe_rag_category",
        "twin brother": "unsafe_rag_category",
        "moot": "conflicting_verdict",
        " moot\n": "unsafe_rag_category",
        "unsure": "category_disallowed",
        "  ": "empty_content",
        "invented": "hallucinated_file_path",
        "run-again": "duplicate_id",
        "nobody's": "missing_source_run_id",
    },
    "preference": {
        "run-self": "self_pairing",
        "run-self/echo": "invalid_preference_pairing",
        "moot": "conflicting_verdict",
        " moot\n": "conflicting_verdict",
    },
}
SHUT["sft"] = SHUT["rag"] | dict.fromkeys(["bad", "twin brother", " moot\n", "unsure"], "unsafe_sft_category")
SHUT["sft"] |= dict.fromkeys(["so so", " twin\n"], "category_disallowed")


def test_every_reason_appears_where_it_should_and_nothing_is_lost(workspace: Workspace, tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_text("real.py\nother.py\n")
    workspace.write("observer_reviews.jsonl", ROWS)
    outcome = workspace.passed(gates=Gates(known_paths=known))
    _holds(
        workspace, {export: sorted(reasons.values()) for export, reasons in SHUT.items()}, {"rag": 4, "sft": 2, "preference": 2}
    )
    assert outcome.summary["total_quarantined"] == sum(map(len, SHUT.values()))

    opened = workspace.passed(gates=Gates(include_review=True, include_partial=True))
    rag = sorted(set(SHUT["rag"].values()) - {"category_disallowed", "hallucinated_file_path"}) + ["unsafe_rag_category"] * 2
    sft = [reason for reason in SHUT["sft"].values() if reason not in ("category_disallowed", "hallucinated_file_path")]
    _holds(
        workspace,
        {"rag": sorted(rag), "sft": sorted(sft), "preference": sorted(SHUT["preference"].values())},
        {"rag": 6, "sft": 5, "preference": 2},
    )
    assert {row["source_category"] for row in workspace.exported("rag/playbooks.jsonl")} == set(CATEGORIES) - {"rejected"}
    warnings = [text for receipt in opened.receipts for text in receipt["validation"]["warnings"]]
    assert sum("known paths" in text for text in warnings) == 3


def _holds(workspace: Workspace, reasons: dict[str, list[str]], out: dict[str, int]) -> None:
    scored = len(workspace.rows("scored.runs"))
    quarantine = workspace.rows("exports.quarantine")
    assert {export: sorted(row["reason"] for row in quarantine if row["export"] == export) for export in reasons} == reasons
    assert {export: len(workspace.rows(f"exports.{export}")) for export in out} == out
    for export in ("rag", "sft"):
        kept = {row["provenance"]["sig_hash"] for row in workspace.rows(f"exports.{export}")}
        stopped = [row["sig_hash"] for row in quarantine if row["export"] == export]
        assert len(kept) + len(stopped) == len(kept | set(stopped)) == scored
