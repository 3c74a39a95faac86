"""Pairs of every kind, each rule taken out of the gates in turn: the re-read alone finds what comes through then."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipeline.engine import Engine
from pipeline.models import Library
from tests.support.gates import START, gate_engine, gated, record

Opened = tuple[Engine, Library]
Edits = dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with gate_engine() as held:
        yield held


def found(opened: Opened, rows: list[dict[str, Any]], edits: Edits, **switches: Any) -> tuple[set[str], set[str]]:
    """Returns the reasons of the pairs that come out, and of those that the check of the file finds."""
    engine, library = opened
    models = dict(library.models)
    for stem, (old, new) in edits.items():
        model = models[f"exports/{stem}"]
        assert old in model.sql, f"{stem} does not say {old!r} any more"
        models[model.name] = replace(model, sql=model.sql.replace(old, new))
    out = gated((engine, replace(library, models=models)), "preference", rows, **switches).out
    engine.define("files.preference", "select * from exports.preference")
    engine.materialise("run.disputed", library["exports/_disputed"].sql)
    engine.define("run.vouched", library["exports/_vouched"].sql)
    broken = engine.rows(library["checks/preference_file_is_gated"].sql)
    return {row["reason"] for row in out}, {row["reason"] for row in broken}


def other(name: str, **more: Any) -> dict[str, Any]:
    """A rejected record of another stream and task, about the same."""
    row = {
        "source": "auto_apply",
        "source_file": "auto_apply.jsonl",
        "task_id": "another",
        "subject": "s",
        "instruction": "ask",
    }
    return record(name, "rejected") | row | more


CHOSEN = record("a", "accepted", subject="s", instruction="ask")
OTHER = record("b", "accepted")
SETTLED = record("d", "accepted", alternative_content="worse", alternative_run_id="other run")
UNSETTLED = SETTLED | {"category": "needs_human_review"}
ACROSS = ("cross_stream_rows", "preference_candidates")
NEAR = "within_days(chosen.occurred_at, rejected.occurred_at, options.cross_stream_days)"
ASKED = "(rejected.instruction_is_blank or rejected.instruction_key = chosen.instruction_key)"

Case = tuple[list[dict[str, Any]], Edits, dict[str, Any], str]
LEAKS: dict[str, Case] = {
    "a text that judges disagree on": (
        [
            record("a", "accepted", content="x", instruction="q"),
            record("r", "rejected", content=" x\n", instruction="q "),
            OTHER,
        ],
        {"preference_gates": ("when conflict is not null then 'conflicting_verdict'", "")},
        {},
        "accepted_over_rejected",
    ),
    "two records of one stream": (
        [CHOSEN, other("r", source=CHOSEN["source"]), other("of another stream", instruction="ask more")],
        dict.fromkeys(ACROSS, ("and chosen.source <> rejected.source", "")),
        {},
        "cross_stream",
    ),
    "records too far apart": (
        [CHOSEN, other("r", occurred_at=START + timedelta(days=7, microseconds=1))],
        dict.fromkeys(ACROSS, (NEAR, "true")),
        {},
        "cross_stream",
    ),
    "an answer to another question": (
        [CHOSEN, other("r", instruction="ask more")],
        dict.fromkeys(ACROSS, (ASKED, "true")),
        {},
        "cross_stream",
    ),
    "pairs across streams although nobody wants them": (
        [CHOSEN, other("r")],
        {"cross_stream_rows": ("options.cross_stream\n        and gates", "gates")},
        {"cross_stream": False},
        "cross_stream",
    ),
    "a discrepancy that nobody settled": (
        [UNSETTLED],
        {
            "preference_gates": ("where category in ('accepted', 'rejected', 'partially_accepted')", ""),
            "settled_rows": ("gates.category = 'accepted'\n        and", ""),
        },
        {},
        "settled_discrepancy",
    ),
    "the wrong run beside what was decided against": (
        [SETTLED],
        {"preference_pairs": ("then rejected.alternative_run_id", "then 'nobody'")},
        {},
        "settled_discrepancy",
    ),
    "twins as far as a trainer looks": (
        [CHOSEN | {"content": "long and good"}, record("r", "rejected", content="long and bad")],
        {"preference_pairs": ("substr(sides.chosen, 1, options.max_chars)", "sides.chosen")},
        {"max_chars": 9},
        "accepted_over_rejected",
    ),
    "twins": (
        [CHOSEN, record("r", "partially_accepted", content=f" {CHOSEN['content']}")],
        {"preference_pairs": ("when trimmed(sides.chosen) = trimmed(sides.rejected) then 'invalid_preference_pairing'", "")},
        {},
        "accepted_over_partially_accepted",
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_the_re_read_finds_a_pair_that_no_gate_should_let_out(opened: Opened, leak: str) -> None:
    rows, edits, switches, reason = LEAKS[leak]
    assert found(opened, rows, {}, **switches)[1] == set()
    out, complaints = found(opened, rows, edits, **switches)
    assert reason in out
    assert complaints == {reason}


def test_sound_pairs_of_every_kind_pass(opened: Opened) -> None:
    rows = [CHOSEN, other("r"), SETTLED, record("p", "partially_accepted"), record("q", "rejected")]
    kinds = {"accepted_over_rejected", "accepted_over_partially_accepted", "cross_stream", "settled_discrepancy"}
    assert found(opened, rows, {}) == (kinds, set())
