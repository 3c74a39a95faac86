"""Preference pairs, worked out by hand: who takes part, in which order pairs are made, what stops one, and where it ends."""

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.engine import Engine
from pipeline.models import Library
from tests.support.gates import Gated, gate_engine, gated, record

Opened = tuple[Engine, Library]


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with gate_engine() as held:
        yield held


def run(opened: Opened, *rows: dict[str, Any], **switches: Any) -> Gated:
    return gated(opened, "preference", list(rows), **switches)


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
