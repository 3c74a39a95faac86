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


def across(name: str, category: str, **more: Any) -> dict[str, Any]:
    """A record of a task of its own, about one subject: what is rejected is of another stream, unless it says so."""
    source = "observer_reviews" if category == "accepted" else "auto_apply"
    row = {"source": source, "source_file": f"{source}.jsonl", "task_id": name, "subject": "s", "instruction": "ask"}
    return record(name, category, **row | more)


CHOSEN = record("a", "accepted", subject="s", instruction="ask")
OTHER = record("b", "accepted", instruction="q")
SETTLED = record("d", "accepted", alternative_content="worse", alternative_run_id="other run", instruction="settle")
UNSETTLED = SETTLED | {"category": "needs_human_review"}
# One pair across streams; to each of its sides another leak puts a record that has partners, too, but not this one.
MET = [across("a", "accepted"), across("r", "rejected")]
NEAR = "within_days(chosen.occurred_at, rejected.occurred_at, options.cross_stream_days)"
ASKED = "(not rejected.instruction_is_blank and rejected.instruction_key = chosen.instruction_key)"
LATE = {"occurred_at": START + timedelta(days=7, microseconds=1)}
MOOT: dict[str, Any] = {"instruction": "q", "content": "x"}

Case = tuple[list[dict[str, Any]], Edits, dict[str, Any], str]
LEAKS: dict[str, Case] = {
    "a text that judges disagree on": (
        [record("a", "accepted", **MOOT), record("r", "rejected", content=" x\n", instruction="q "), OTHER],
        {"preference_gates": ("when conflict is not null then 'conflicting_verdict'", "")},
        {},
        "accepted_over_rejected",
    ),
    "a text that was rejected elsewhere and accepted in part": (
        [OTHER, record("p", "partially_accepted", **MOOT), record("r", "rejected", task_id="elsewhere", **MOOT)],
        {"conflicts": ("category in ('accepted', 'partially_accepted', 'rejected')", "category in ('accepted', 'rejected')")},
        {},
        "accepted_over_partially_accepted",
    ),
    "a text that was decided against elsewhere": (
        [
            SETTLED,
            record("a", "accepted", instruction="settle", content="worse"),
            record("r", "rejected", instruction="settle"),
        ],
        {"conflicts": ("category = 'accepted'\n        and decided_against", "false\n        and decided_against")},
        {},
        "accepted_over_rejected",
    ),
    "a verdict of others": (
        [OTHER, record("r", "rejected", instruction="q", reasons=["parent_rejected"])],
        {"preference_gates": ("and not is_borrowed", "")},
        {},
        "accepted_over_rejected",
    ),
    "answers to two questions": (
        [OTHER, record("r", "rejected")],
        {"preference_rows": ("case when options.pairs = 'task' then '' else gates.instruction_key end", "''")},
        {},
        "accepted_over_rejected",
    ),
    "an answer to no question": (
        [across("a", "accepted"), across("r", "rejected", instruction=None)],
        {
            "cross_stream_seats": ("options.pairs = 'task'", "true"),
            "preference_candidates": ("and options.pairs = 'task'", ""),
        },
        {},
        "cross_stream",
    ),
    "pairs that contradict each other": (
        [
            record("a", "accepted", instruction="q", content="this"),
            record("p", "partially_accepted", instruction="q", content="that"),
            record("b", "accepted", instruction=" q", content="that ", task_id="another"),
            record("o", "partially_accepted", instruction="q", content="this", task_id="another"),
        ],
        {"preference_pairs": ("when is_contradicted then 'conflicting_verdict'", "")},
        {},
        "accepted_over_partially_accepted",
    ),
    "a pair that does not say how it was asked": (
        [OTHER, record("r", "rejected", instruction=None)],
        {"preference": ("then 'blank'", "then 'same'")},
        {"pairs": "task"},
        "accepted_over_rejected",
    ),
    "a pair with another question beside it": (
        [OTHER, record("r", "rejected")],
        {"preference": ("rejected.instruction as rejected_prompt", "chosen.instruction as rejected_prompt")},
        {"pairs": "task"},
        "accepted_over_rejected",
    ),
    "two records of one stream": (
        [*MET, across("b", "accepted", source="auto_apply"), across("q", "rejected", source="observer_reviews")],
        {"preference_candidates": ("and chosen.source <> rejected.source", "")},
        {},
        "cross_stream",
    ),
    "records too far apart": (
        [*MET, across("b", "accepted", **LATE), across("q", "rejected", **LATE)],
        {"preference_candidates": (NEAR, "true")},
        {},
        "cross_stream",
    ),
    "an answer to another question": (
        [*MET, across("b", "accepted", instruction="ask more"), across("q", "rejected", instruction="ask more")],
        {"preference_candidates": (ASKED, "true")},
        {},
        "cross_stream",
    ),
    "pairs across streams although nobody wants them": (
        MET,
        {"cross_stream_seats": ("options.cross_stream\n        and gates", "gates")},
        {"cross_stream": False},
        "cross_stream",
    ),
    "a discrepancy that nobody settled": (
        [UNSETTLED],
        {
            "preference_gates": ("category in ('accepted', 'rejected', 'partially_accepted')", "true"),
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
        [CHOSEN | {"content": "long and good"}, record("r", "rejected", content="long and bad", instruction="ask")],
        {"preference_pairs": ("when substr(chosen, 1, max_chars) = substr(rejected, 1, max_chars) then", "when false then")},
        {"max_chars": 9},
        "accepted_over_rejected",
    ),
    "twins": (
        [CHOSEN, record("r", "partially_accepted", content=f" {CHOSEN['content']}", instruction="ask")],
        {
            "preference_pairs": (
                "when trimmed(chosen) = trimmed(rejected) then 'invalid_preference_pairing'",
                "when trimmed(chosen) = trimmed(rejected) then null",
            )
        },
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
    rows = [CHOSEN, across("r", "rejected", task_id="another"), SETTLED]
    rows += [record("p", "partially_accepted", instruction="ask"), record("q", "rejected", instruction=" ask")]
    kinds = {"accepted_over_rejected", "accepted_over_partially_accepted", "cross_stream", "settled_discrepancy"}
    assert found(opened, rows, {}) == (kinds, set())
    rows += [record("o", "rejected", instruction="else"), across("b", "rejected", instruction=None)]
    assert found(opened, rows, {}, pairs="task") == (kinds, set())


@pytest.mark.parametrize(("unit", "most"), [("task", 2), ("subject", 5)])
def test_the_re_read_counts_the_pairs_of_a_task_and_of_a_subject(opened: Opened, unit: str, most: int) -> None:
    number = range(4)
    if unit == "task":
        rows = [record(f"a{n}", "accepted", instruction="ask") for n in number]
        rows += [record(f"r{n}", "rejected", instruction="ask") for n in number]
    else:
        rows = [across(f"{kind}{n}", kind) for n in number for kind in ("accepted", "rejected")]
    check = opened[1]["checks/preference_file_is_capped"].sql
    found(opened, rows, {}, max_pairs=2)
    assert opened[0].rows(check) == []
    found(opened, rows, {"preference_pairs": (") > most", ") > most + 1")}, max_pairs=2)
    assert [(row["amount"], row["most"]) for row in opened[0].rows(check)] == [(most + 1, most)]
