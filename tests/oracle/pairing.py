"""Rows that meet: few subjects, tasks, texts and moments over the streams that judge, so that every rule of contracts
section 10 fires often. Little else is wrong with them; for that there is messy.py.

Same seed, same rows.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["meeting_row"]

START = datetime(2026, 4, 27, tzinfo=UTC)
# Within a day, at the edges of one and of seven days, and beyond.
APART = [
    *(timedelta(seconds=second) for second in range(0, 20, 2)),
    *(timedelta(days=days) + timedelta(microseconds=more) for days in (1, 7) for more in (-1, 0, 1)),
    timedelta(days=40),
]
SUBJECTS = ["src/app.py", "src/app.py", "src/app.py", "src/größe.md", "src/app.py ", " ", "t1"]
TASKS = ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"]
QUESTIONS = ["ask", "ask", "ask", "ask", " ask\n", "ask more", "", "\u00a0"]
ANSWERS = [f"A beginning for many, {number}" for number in range(12)] + [f"{number}, an end" for number in range(40)]
JUDGED: dict[str, tuple[str, str, str, dict[str, list[Any]]]] = {
    # stream: (time, question, answer, what decides)
    "observer_reviews": ("ts", "prompt", "notes", {"verdict": ["accept", "reject", "cycle", "none"]}),
    "scrum_reviews": ("created_at", "prompt", "review", {"accepted": [True, False], "accepted_on_attempt": [1, 1, 2]}),
    "auto_apply": ("ts", "prompt", "patch", {"action": ["committed", "build_red_reverted", "noop"]}),
    "outcomes": ("created_at", "task", "summary", {"all_events_ok": [True, False], "gap_signals": [0, 0, 1]}),
    "observer_escalations": ("ts", "reason", "analysis", {}),
    "distilled_facts": ("created_at", "", "text", {}),
}


def meeting_row(rng: random.Random) -> tuple[str, dict[str, Any]]:
    """A stream, and a row of it."""
    kind = rng.random()
    if kind < 0.15:
        return "audit_discrepancies", _discrepancy(rng)
    if kind < 0.3:
        return "observer_reviews", _opinion(rng)
    stream = rng.choice([*list(JUDGED)[:3] * 3, *JUDGED])
    time, question, answer, judged = JUDGED[stream]
    row = _anyone(rng) | {time: _moment(rng), answer: _answer(rng)}
    row |= {name: rng.choice(values) for name, values in judged.items()}
    if question:
        row[question] = rng.choice(QUESTIONS)
    if stream in list(JUDGED)[:3]:
        row["file"] = rng.choice(SUBJECTS)
    return stream, row


def _opinion(rng: random.Random) -> dict[str, Any]:
    """Two or three answers, better here and worse there but seldom rejected: pairs that contradict each other."""
    row = _anyone(rng) | {"ts": _moment(rng), "prompt": rng.choice(QUESTIONS[:6]), "file": rng.choice(SUBJECTS)}
    return row | {
        "notes": rng.choice(["this", "that", " this\n", "neither"]),
        "verdict": rng.choice(["accept", "cycle"] * 12 + ["reject"]),
    }


def _anyone(rng: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {"task_id": rng.choice(TASKS), "run_id": f"r{rng.randrange(30)}" if rng.random() < 0.97 else " "}
    return row | ({"cited_paths": [rng.choice(["src/app.py", "src/nope.py"])]} if rng.random() < 0.1 else {})


def _discrepancy(rng: random.Random) -> dict[str, Any]:
    row = {
        "ts": _moment(rng),
        "discrepancy_id": rng.choice([*TASKS, "d1", "d2", "d3", 4]),
        "prompt": rng.choice(QUESTIONS),
        "finding_a": _answer(rng),
        "finding_b": _answer(rng),
        "run_a": rng.choice(["r1", "r2", "ra"]),
        "run_b": rng.choice(["r1", "rb", "rb", "rb", " "]),
        "model_a": "m-1",
        "model_b": "m-2",
        "winner": rng.choice(["a", "b", "a", "b", None]),
        "settled_by": rng.choice(["person:ann", "test:unit", "tool:ci", "M-1 ", "model:m-9", "human", None]),
    }
    if rng.random() < 0.2:
        row["finding_b"] = rng.choice(["", " \n", f" {row['finding_a']}\t", row["finding_a"]])
    return row


def _moment(rng: random.Random) -> str:
    return (START + rng.choice(APART)).isoformat()


def _answer(rng: random.Random) -> str:
    answer = rng.choice(ANSWERS)
    kind = rng.random()
    return f" {answer}\n" if kind < 0.1 else f"{answer}\u00a0" if kind < 0.15 else "" if kind < 0.18 else answer
