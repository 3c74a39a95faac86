"""Preference pairs, worked out by hand: who takes part, in which order pairs are made, what stops one, and where it ends.

Where a test says nothing else, a whole task is one group, so that records may be asked whatever they are.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import Engine
from pipeline.models import Library
from tests.support.gates import START, Gated, gate_engine, gated, record

Opened = tuple[Engine, Library]


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with gate_engine() as held:
        yield held


def run(opened: Opened, *rows: dict[str, Any], **switches: Any) -> Gated:
    return gated(opened, "preference", list(rows), **{"pairs": "task"} | switches)


def same_prompt(opened: Opened, *rows: dict[str, Any], **switches: Any) -> Gated:
    return run(opened, *rows, **{"pairs": "same-prompt"} | switches)


def many(kind: str, category: str, count: int, **more: Any) -> list[dict[str, Any]]:
    """Records kind1, kind2, ... in the order of their time, given here in another one."""
    rows = [record(f"{kind}{number}", category, second=number, **more) for number in range(1, count + 1)]
    return rows[1::2] + rows[0::2]


def pairs(found: Gated) -> set[str]:
    """Returns the exported pairs as `chosen>rejected`, each by the name of its record."""
    return {f"{row['chosen_run_id'].removeprefix('run-')}>{row['rejected_run_id'].removeprefix('run-')}" for row in found.out}


def capped(found: Gated) -> int:
    return sum(pair["is_capped"] for pair in found.pairs)


def test_pairs_come_diagonal_by_diagonal_rejected_before_partial_and_five_at_most(opened: Opened) -> None:
    rows = [*many("a", "accepted", 2), *many("r", "rejected", 2), *many("p", "partially_accepted", 2)]
    found = run(opened, *rows)
    assert pairs(found) == {"a1>r1", "a1>r2", "a2>r1", "a2>r2", "a1>p1"}
    assert (capped(found), found.stopped) == (3, [])
    assert {row["reason"] for row in found.out} == {"accepted_over_rejected", "accepted_over_partially_accepted"}


def test_pairs_are_ordered_by_the_larger_place_then_chosen_then_rejected(opened: Opened) -> None:
    """(1,1); (1,2), (2,1), (2,2); (1,3), (2,3), (3,1), (3,2), (3,3); (1,4), ..."""
    found = run(opened, *many("a", "accepted", 3), *many("r", "rejected", 4))
    assert pairs(found) == {"a1>r1", "a1>r2", "a2>r1", "a2>r2", "a1>r3"}
    assert capped(found) == 7


def test_only_the_first_ten_of_a_category_are_considered(opened: Opened) -> None:
    found = run(opened, *many("a", "accepted", 12, task_id="t"), record("r", "rejected", task_id="t"))
    assert pairs(found) == {f"a{number}>r" for number in range(1, 6)}
    assert (len(found.pairs), capped(found), found.stopped) == (10, 5, [])


def test_places_are_counted_among_those_that_pass_the_row_gates(opened: Opened) -> None:
    blank = many("b", "accepted", 11, content=" ")
    found = run(opened, *blank, record("late", "accepted", second=99), record("r", "rejected"))
    assert pairs(found) == {"late>r"}
    assert found.reasons() == {row["sig_hash"]: "empty_content" for row in blank}


def test_equal_times_are_settled_by_the_hash(opened: Opened) -> None:
    rows = [record(f"a{letter}", "accepted", instruction="ask") for letter in "fedcba"]
    assert pairs(run(opened, *rows, record("r", "rejected"))) == {f"a{letter}>r" for letter in "abcde"}


@pytest.mark.parametrize(
    "categories",
    [["accepted"], ["rejected", "partially_accepted"], ["accepted", "needs_human_review"], ["needs_human_review", "rejected"]],
)
def test_a_task_with_nothing_to_prefer_takes_no_part(opened: Opened, categories: list[str]) -> None:
    found = run(opened, *(record(name, name, content=" ") for name in categories))
    assert (found.out, found.stopped, found.pairs) == ([], [], [])


def test_tasks_do_not_mix(opened: Opened) -> None:
    rows = [record(f"{kind}{task}", kind, task_id=task) for task in "xy" for kind in ("accepted", "rejected")]
    assert pairs(run(opened, *rows)) == {"acceptedx>rejectedx", "acceptedy>rejectedy"}


def test_row_gates_stop_single_records(opened: Opened) -> None:
    rows = [
        record("a", "accepted"),
        record("r", "rejected", instruction=None),
        record("a-mute", "accepted", instruction=" \n"),
        record("a-empty", "accepted", content=None),
        record("r-empty", "rejected", content="\t"),
        record("p-lost", "partially_accepted", run_id=" "),
        record("p-made-up", "partially_accepted", cited_paths=["made up.py"]),
        record("human", "needs_human_review", content=None),
    ]
    found = run(opened, *rows, known_paths=["real.py"])
    assert pairs(found) == {"a>r"}
    assert found.reasons() == {
        "sig-a-mute": "empty_content",
        "sig-a-empty": "empty_content",
        "sig-r-empty": "empty_content",
        "sig-p-lost": "missing_source_run_id",
        "sig-p-made-up": "hallucinated_file_path",
    }
    assert pairs(run(opened, *rows)) == {"a>r", "a>p-made-up"}


def test_a_record_is_never_preferred_to_another_of_its_own_run(opened: Opened) -> None:
    """A stopped pair takes no place among the five."""
    rows = [record("a", "accepted", run_id="same"), record("r0", "rejected", run_id="same")]
    found = run(opened, *rows, *many("r", "rejected", 5))
    assert [row["rejected_run_id"] for row in found.out if row["rejected_run_id"] == "same"] == []
    assert (len(found.out), capped(found)) == (5, 0)
    (stopped,) = found.stopped
    assert (stopped["reason"], stopped["sig_hash"], stopped["source_run_id"]) == ("self_pairing", "sig-a", "same")
    assert "sig-r0" in stopped["detail"]


@pytest.mark.parametrize("other", ["text", " text\n", "\f\vtext\t"])
def test_the_same_text_is_no_preference(opened: Opened, other: str) -> None:
    found = run(opened, record("a", "accepted", content=" text"), record("r", "partially_accepted", content=other))
    assert (found.out, found.reasons()) == ([], {"sig-a": "invalid_preference_pairing"})
    assert len(run(opened, record("a", "accepted", content="text"), record("r", "rejected", content="te xt")).out) == 1


def test_self_pairing_comes_before_the_same_text(opened: Opened) -> None:
    both: dict[str, Any] = {"run_id": "same", "content": "text"}
    assert run(opened, record("a", "accepted", **both), record("r", "rejected", **both)).reasons() == {"sig-a": "self_pairing"}


def test_a_pair_is_exported_once_over_all_tasks(opened: Opened) -> None:
    """Ids are over prompt and texts: the first task by name keeps the pair, whatever came first in time."""
    chosen: dict[str, Any] = {"instruction": "ask", "content": "good"}
    other: dict[str, Any] = {"content": "bad"}
    rows = [
        record("a-late", "accepted", second=9, task_id="1", **chosen),
        record("r-late", "rejected", second=9, task_id="1", **other),
        record("a-early", "accepted", second=1, task_id="2", **chosen),
        record("p-early", "partially_accepted", second=1, task_id="2", **other),
        record("r-more", "rejected", second=2, task_id="2", content="worse"),
    ]
    found = run(opened, *rows)
    assert pairs(found) == {"a-late>r-late", "a-early>r-more"}
    assert found.reasons() == {"sig-a-early": "duplicate_id"}


def test_a_capped_pair_has_passed_so_its_repeat_is_a_duplicate(opened: Opened) -> None:
    first = [record("a", "accepted", task_id="1", instruction="ask", content="good"), *many("r", "rejected", 6, task_id="1")]
    again = [
        record("b", "accepted", task_id="2", instruction="ask", content="good"),
        record("s", "rejected", task_id="2", content="content of r6"),
    ]
    found = run(opened, *first, *again)
    assert pairs(found) == {f"a>r{number}" for number in range(1, 6)}
    assert (capped(found), found.reasons()) == (1, {"sig-b": "duplicate_id"})


def test_a_pair_that_another_gate_stopped_keeps_no_id(opened: Opened) -> None:
    chosen: dict[str, Any] = {"instruction": "ask", "content": "good"}
    other: dict[str, Any] = {"content": "bad"}
    rows = [
        record("a1", "accepted", task_id="1", run_id="same", **chosen),
        record("r1", "rejected", task_id="1", run_id="same", **other),
        record("a2", "accepted", task_id="2", **chosen),
        record("r2", "rejected", task_id="2", **other),
    ]
    found = run(opened, *rows)
    assert (pairs(found), found.reasons()) == ({"a2>r2"}, {"sig-a1": "self_pairing"})


def test_a_row_carries_both_sides(opened: Opened) -> None:
    (row,) = run(opened, record("a", "accepted", second=3, line_offset=1), record("r", "rejected", line_offset=2)).out
    assert (row["prompt"], row["chosen"], row["rejected"]) == ("do a", "content of a", "content of r")
    assert (row["task_id"], row["created_at"].second) == ("task", 3)
    assert (row["provenance"]["line_offset"], row["rejected_provenance"]["line_offset"]) == (1, 2)
    assert (row["prompt_match"], row["rejected_prompt"]) == ("other", "do r")


# --- one question -----------------------------------------------------------------------------------------


def test_only_answers_to_one_question_are_paired(opened: Opened) -> None:
    rows = [
        record("a1", "accepted", instruction="ask"),
        record("r1", "rejected", instruction=" ask\n"),
        record("r2", "rejected", instruction="ask else"),
        record("p3", "partially_accepted", instruction="Ask"),
        record("mute", "rejected", instruction="\t "),
        record("silent", "partially_accepted", instruction=None),
    ]
    found = same_prompt(opened, *rows)
    assert pairs(found) == {"a1>r1"}
    assert [(row["prompt"], row["prompt_match"], row["rejected_prompt"]) for row in found.out] == [("ask", "same", " ask\n")]
    whole = run(opened, *rows)
    assert {row["rejected_run_id"]: (row["prompt_match"], row["rejected_prompt"]) for row in whole.out} == {
        "run-r1": ("same", " ask\n"),
        "run-r2": ("other", "ask else"),
        "run-mute": ("blank", "\t "),
        "run-p3": ("other", "Ask"),
        "run-silent": ("blank", None),
    }


def test_a_group_without_both_kinds_takes_no_part_although_its_task_does(opened: Opened) -> None:
    rows = [
        record("a", "accepted", instruction="ask"),
        record("r", "rejected", instruction="ask", content=" "),
        record("b", "accepted", instruction="ask more", content=" "),
        record("mute", "accepted", instruction=" "),
    ]
    assert same_prompt(opened, *rows).reasons() == {"sig-r": "empty_content"}
    assert run(opened, *rows).reasons() == dict.fromkeys(("sig-r", "sig-b", "sig-mute"), "empty_content")


def test_places_are_counted_within_a_group_and_groups_take_turns(opened: Opened) -> None:
    """By (max(i, j), i, j), then by the bytes of what was asked: `Z`, `a`, `é`; all rejected before partial ones."""
    rows = []
    for second, asked in enumerate(("é", "a", "Z")):
        rows += [record(f"{kind}-{asked}", kind, second=second, instruction=asked) for kind in ("accepted", "rejected")]
        rows.append(record(f"accepted2-{asked}", "accepted", second=second + 9, instruction=f" {asked} "))
        rows.append(record(f"partial-{asked}", "partially_accepted", second=second, instruction=asked))
    ordered = ["accepted-Z>rejected-Z", "accepted-a>rejected-a", "accepted-é>rejected-é"]
    ordered += [pair.replace("accepted-", "accepted2-", 1) for pair in ordered]
    ordered += [f"accepted-{asked}>partial-{asked}" for asked in ("Z", "a", "é")]
    for most in range(1, 10):
        found = same_prompt(opened, *rows, max_pairs=most)
        assert pairs(found) == set(ordered[:most])
        assert capped(found) == 12 - most


def test_ten_of_each_group_are_considered(opened: Opened) -> None:
    rows = [*many("a", "accepted", 12, instruction="ask"), record("r", "rejected", instruction="ask")]
    rows += [*many("b", "accepted", 12, instruction="else"), record("s", "rejected", instruction="else")]
    found = same_prompt(opened, *rows, max_pairs=1000)
    assert len(pairs(found)) == 20


@pytest.mark.parametrize("most", [1, 3, 7])
def test_so_many_pairs_of_a_task_are_exported(opened: Opened, most: int) -> None:
    found = run(opened, *many("a", "accepted", 3), *many("r", "rejected", 4), max_pairs=most)
    assert (len(found.out), capped(found)) == (most, 12 - most)


def test_of_a_subject_five_pairs_are_exported_whatever_a_task_may_have(opened: Opened) -> None:
    about: dict[str, Any] = {"subject": "s", "instruction": "ask"}
    rows = [record(f"a{n}", "accepted", task_id=f"a{n}", second=n, **about) for n in range(3)]
    rows += [record(f"r{n}", "rejected", task_id=f"r{n}", second=n, source="auto_apply", **about) for n in range(3)]
    for most in (1, 100):
        found = same_prompt(opened, *rows, max_pairs=most)
        assert (len(found.out), capped(found)) == (5, 4)


@pytest.mark.parametrize("reason", ["parent_accepted", "parents_mixed", "parent_rejected"])
@pytest.mark.parametrize("side", [0, 1])
def test_a_borrowed_verdict_is_in_no_pair(opened: Opened, reason: str, side: int) -> None:
    """Not within its task, where it makes no group take part and is not counted, nor across streams."""
    rows = [record("a", "accepted", instruction="ask", subject="s"), record("r", "rejected", instruction="ask", subject="s")]
    assert pairs(same_prompt(opened, *rows)) == {"a>r"}
    rows[side]["reasons"] = [reason]
    assert same_prompt(opened, *rows) == Gated([], [], [])
    rows[1] |= {"source": "auto_apply", "task_id": "other"}
    assert same_prompt(opened, *rows) == Gated([], [], [])
    rows[side]["reasons"] = ["no_parent"]
    assert pairs(same_prompt(opened, *rows)) == {"a>r"}


# --- what others say of the same ---------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["accepted", "partially_accepted"])
@pytest.mark.parametrize("export", ["rag", "sft", "preference"])
def test_what_was_rejected_anywhere_is_taught_nowhere(opened: Opened, export: str, other: str) -> None:
    same: dict[str, Any] = {"instruction": "ask", "content": "moot"}
    rows = [
        record("good", other, **same | {"content": " moot\n"}),
        record("bad", "rejected", task_id="elsewhere", source="auto_apply", **same),
        record("a", "accepted", instruction="ask"),
        record("r", "rejected", instruction="ask"),
    ]
    found = gated(opened, export, rows, include_partial=True)
    assert found.reasons()["sig-good"] == "conflicting_verdict"
    assert not {"good", "bad"} & {row.get("source_run_id", row.get("chosen_run_id")) for row in found.out}
    rows[1]["instruction"] = "ask else"
    assert "sig-good" not in gated(opened, export, rows, include_partial=True).reasons()


@pytest.mark.parametrize("other", ["accepted", "partially_accepted"])
@pytest.mark.parametrize("export", ["rag", "sft", "preference"])
def test_what_was_decided_against_counts_as_rejected(opened: Opened, export: str, other: str) -> None:
    settled = record("d", "accepted", task_id="d", instruction="ask ", content="better", alternative_content="\tworse")
    settled["alternative_run_id"] = "loser"
    rows = [
        settled,
        record("g", other, instruction=" ask", content="worse"),
        record("a", "accepted", instruction="ask"),
        record("r", "rejected", instruction="ask"),
    ]
    found = gated(opened, export, rows, include_partial=True)
    assert found.reasons()["sig-g"] == "conflicting_verdict"
    assert "sig-d" not in found.reasons()
    (detail,) = (row["detail"] for row in found.stopped if row["sig_hash"] == "sig-g")
    assert "decided against at observer_reviews.jsonl:8" in detail
    settled["category"] = "needs_human_review"
    assert "sig-g" not in gated(opened, export, rows, include_partial=True).reasons()


def test_who_wins_with_the_very_text_that_loses_is_in_conflict(opened: Opened) -> None:
    same = record("d", "accepted", content="one", alternative_content=" one", alternative_run_id="other")
    assert same_prompt(opened, same).reasons() == {"sig-d": "conflicting_verdict"}


CONTRARY = [
    record("a1", "accepted", task_id="1", instruction="ask", content="this"),
    record("p1", "partially_accepted", task_id="1", instruction="ask", content="that"),
    record("a2", "accepted", task_id="2", instruction=" ask", content="that\n"),
    record("p2", "partially_accepted", task_id="2", instruction="ask", content=" this"),
]


def test_two_pairs_that_contradict_each_other_are_both_stopped(opened: Opened) -> None:
    found = same_prompt(opened, *CONTRARY)
    assert (found.out, found.reasons()) == ([], dict.fromkeys(("sig-a1", "sig-a2"), "conflicting_verdict"))
    assert pairs(same_prompt(opened, *CONTRARY[:3])) == {"a1>p1"}
    other = [row | ({"instruction": "else"} if row["task_id"] == "2" else {}) for row in CONTRARY]
    assert len(same_prompt(opened, *other).out) == 2


def test_a_pair_contradicts_whatever_other_gates_say_of_it(opened: Opened) -> None:
    """A pair of one run, and one beyond the cap, is stopped or not exported itself, and still says the contrary."""
    own_run = [row | ({"run_id": "same"} if row["task_id"] == "2" else {}) for row in CONTRARY]
    assert same_prompt(opened, *own_run).reasons() == {"sig-a1": "conflicting_verdict", "sig-a2": "self_pairing"}
    better = [record(f"p{n}", "partially_accepted", task_id="2", instruction="ask", occurred_at=START) for n in range(5)]
    late = [row | {"occurred_at": START + timedelta(days=1)} for row in CONTRARY]
    assert same_prompt(opened, *late, *better).reasons() == dict.fromkeys(("sig-a1", "sig-a2"), "conflicting_verdict")


def test_a_contradiction_comes_before_a_repeat_and_takes_no_place(opened: Opened) -> None:
    twice = [row | {"task_id": "3", "sig_hash": f"{row['sig_hash']}-3"} for row in CONTRARY[:2]]
    sound = record("p3", "partially_accepted", second=9, task_id="1", instruction="ask")
    found = same_prompt(opened, *CONTRARY, *twice, sound, max_pairs=1)
    assert pairs(found) == {"a1>p3"}
    assert {row["reason"] for row in found.stopped} == {"conflicting_verdict"}
    assert len(found.stopped) == 3


def test_a_settled_pair_neither_contradicts_nor_is_contradicted(opened: Opened) -> None:
    """Of its loser nothing can be chosen; and its winner beside another text says nothing of the two."""
    settled = record("d", "accepted", task_id="d", instruction="ask", content="that", alternative_content="worst")
    found = same_prompt(opened, *CONTRARY[:2], settled | {"alternative_run_id": "loser"})
    assert pairs(found) == {"a1>p1", "d>loser"}


# --- across streams ----------------------------------------------------------------------------------------


def across(name: str, category: str, **more: Any) -> dict[str, Any]:
    """A record about one subject, of a task of its own; the rejected ones are of another stream."""
    source = "observer_reviews" if category == "accepted" else "auto_apply"
    return record(name, category, **{"source": source, "task_id": name, "subject": "s", "instruction": "ask"} | more)


@pytest.mark.parametrize("asked", [None, "", " \n"])
def test_across_streams_a_blank_question_is_enough_only_for_whole_tasks(opened: Opened, asked: str | None) -> None:
    rows = [across("a", "accepted"), across("r", "rejected", instruction=asked)]
    assert pairs(same_prompt(opened, *rows)) == set()
    (row,) = run(opened, *rows).out
    assert (row["reason"], row["prompt_match"], row["rejected_prompt"]) == ("cross_stream", "blank", asked)


def test_across_streams_another_question_is_never_enough(opened: Opened) -> None:
    rows = [
        across("a", "accepted"),
        across("r", "rejected", instruction="ask more"),
        across("s", "rejected", instruction=" ask"),
    ]
    assert pairs(same_prompt(opened, *rows)) == pairs(run(opened, *rows)) == {"a>s"}


MOMENTS = st.sampled_from([timedelta(), timedelta(days=1), timedelta(days=7), timedelta(days=7, microseconds=1)])
MEETING = st.lists(
    st.tuples(
        st.sampled_from(["accepted", "rejected"]),
        st.sampled_from("xyz"),
        st.sampled_from("123"),
        st.sampled_from("st"),
        st.sampled_from(["ask", "ask", " ask", "else", None]),
        MOMENTS,
    ),
    max_size=14,
)


@settings(max_examples=60)
@given(
    rows=MEETING,
    mode=st.sampled_from(["same-prompt", "task"]),
    days=st.sampled_from([0, 1, 7, 36500]),
    crowded=st.booleans(),
)
def test_who_has_a_partner_is_who_meets_one(
    opened: Opened, rows: list[tuple[Any, ...]], mode: str, days: int, crowded: bool
) -> None:
    """Held against pairing all with all; `crowded`: however few meet, their partners are only counted."""
    records = [
        across(str(n), category, source=source, task_id=task, subject=subject, instruction=asked, occurred_at=START + moment)
        for n, (category, source, task, subject, asked, moment) in enumerate(rows)
        if category == "rejected" or asked is not None
    ]
    engine, library = opened
    models = dict(library.models)
    if crowded:
        seats = models["exports/cross_stream_seats"]
        models[seats.name] = replace(seats, sql=seats.sql.replace("> 64 * (", "> 0 * ("))
        assert models[seats.name].sql != seats.sql
    run((engine, replace(library, models=models)), *records, pairs=mode, cross_stream_days=days)
    wanted = set()
    for chosen in records:
        for rejected in records:
            asked = (rejected["instruction"] or "").strip()
            if (
                (chosen["category"], rejected["category"]) == ("accepted", "rejected")
                and chosen["subject"] == rejected["subject"]
                and chosen["source"] != rejected["source"]
                and chosen["task_id"] != rejected["task_id"]
                and abs(chosen["occurred_at"] - rejected["occurred_at"]) <= timedelta(days=days)
                and (asked == chosen["instruction"].strip() or (not asked and mode == "task"))
            ):
                wanted |= {chosen["sig_hash"], rejected["sig_hash"]}
    assert {row["sig_hash"] for row in engine.rows("select sig_hash from exports.cross_stream_rows")} == wanted


def test_partners_of_a_crowd_are_counted_and_not_written_out(opened: Opened) -> None:
    """Of 300 beside 300 no two are held against each other, and yet everybody has found one."""
    rows = [across(f"{kind}{n}", kind) for n in range(300) for kind in ("accepted", "rejected")]
    found = same_prompt(opened, *rows)
    held = opened[0].value("select count(*) as n from exports.cross_stream_seats where not is_crowded")
    assert (held, len(found.out), capped(found)) == (0, 5, 95)
    assert opened[0].value("select count(*) as n from exports.cross_stream_rows") == 600
