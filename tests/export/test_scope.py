"""What a change can reach: whatever is decided again with it must, beside what is not, be what deciding everything gives."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from pipeline.engine import Engine
from pipeline.export.scope import NEAR, follow_tasks
from pipeline.models import Library
from tests.support.gates import CATEGORIES, RECORDS, RUNS, START, bind_options, gate_engine, materialise, record

Opened = tuple[Engine, Library]
Rows = list[dict[str, Any]]
STEMS = {
    "rag": ("rag", "quarantine_rag"),
    "sft": ("sft", "quarantine_sft"),
    "preference": ("preference", "quarantine_preference", "capped"),
}
# Made of all records, however few are decided again.
OF_ALL = ("texts", "keys", "conflicts")
MOMENTS = [timedelta(seconds=1), timedelta(seconds=2), timedelta(days=6), timedelta(days=7, seconds=1), timedelta(days=9)]


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with gate_engine() as held:
        yield held


def records(rng: random.Random, amount: int) -> Rows:
    """Either few tasks, so that most changes reach most records, or so many that subjects and texts alone tie them together."""
    tasks = [str(number) for number in range(rng.choice([8, 3 * amount]))]
    subjects: list[str | None] = ["s"] if rng.random() < 0.5 else ["s", "s", "t", None]
    judge = {"x": "accepted", "y": "rejected"} if rng.random() < 0.5 else None
    # Few texts that are seldom rejected: pairs contradict each other.
    categories = rng.choice([(*CATEGORIES, "accepted", "rejected"), ("accepted", "partially_accepted") * 8 + ("rejected",)])
    texts = rng.choice([amount, 4])
    rows = []
    for number in range(amount):
        row = record(str(number), rng.choice(categories), line_offset=number)
        row |= {
            "source": rng.choice("xyz" if judge is None else "xy"),
            "task_id": rng.choice(tasks),
            "subject": rng.choice(subjects),
            "occurred_at": START + rng.choice(MOMENTS),
            "instruction": rng.choice(["ask", "ask", "ask ", "else", None]),
            "content": f"{rng.choice(['', ' '])}{rng.randrange(texts)}" if rng.random() < 0.95 else None,
            "reasons": [rng.choice(["because"] * 9 + ["parents_mixed"])],
        }
        if rng.random() < 0.1:
            row |= {"alternative_content": str(rng.randrange(texts)), "alternative_run_id": rng.choice(["other", None])}
        if judge is not None and rng.random() < 0.9:
            row["category"] = judge[row["source"]]
            # Few texts, and yet no two judges of one: many pairs have one id.
            row["content"] = f"{row['category']} {rng.randrange(4)}"
        rows.append(row)
    return rows


def bind(engine: Engine, name: str, rows: Rows) -> None:
    engine.bind_arrow(f"{name}.records", pa.Table.from_pylist(rows, schema=RECORDS))
    engine.bind_arrow(f"{name}.scores", pa.Table.from_pylist(rows, schema=RUNS))
    engine.define("evidence.records", f"select * from {name}.records")
    engine.define("scored.runs", f"select * from {name}.scores")


def decided(opened: Opened, export: str, done: tuple[str, ...] = ()) -> dict[str, Rows]:
    """What the models of an export make of what is bound; those that are `done` stay as they are."""
    engine, library = opened
    made = set(done)
    found = {}
    for stem in STEMS[export]:
        materialise(engine, library, stem, made)
        found[stem] = engine.rows(f"select * from exports.{stem}")
    return found


def reach(opened: Opened, export: str) -> set[Any]:
    """Binds what is decided again, as pipeline.export.scope does; returns the ids, or tasks, of the rows that are made anew."""
    engine, library = opened
    for stem in ("_changed", "_touched"):
        engine.materialise(f"run.{stem[1:]}", library[f"exports/{stem}"].sql)
    follow_tasks(engine, library)
    engine.materialise("run.of_tasks", library["exports/_of_tasks"].sql)
    engine.materialise("run.near_texts", library["exports/_near"].sql)
    engine.define("exports.texts", "select * from run.near_texts")
    for table, rows in (("evidence.records", "after.records"), ("scored.runs", "after.scores")):
        engine.define(table, f"select * from {rows} semi join run.near_texts using (source, sig_hash)")
    engine.define("run.near", NEAR)
    engine.materialise("run.reached", library[f"exports/_scope_{export}"].sql)
    engine.materialise("run.candidates", library["exports/candidates"].sql)
    engine.define("exports.candidates", "select * from run.candidates semi join run.reached using (source, sig_hash)")
    if export == "preference":
        return {row["task_id"] for row in engine.rows("select task_id from run.reached")}
    return {(row["source"], row["sig_hash"]) for row in engine.rows("select source, sig_hash from run.reached")}


def is_reached(export: str, row: dict[str, Any], reached: set[Any], sources: dict[str, str]) -> bool:
    if export == "preference":
        return row["task_id"] in reached
    sig_hash = row["sig_hash"] if "sig_hash" in row else row["provenance"]["sig_hash"]
    return (sources[sig_hash], sig_hash) in reached


MOST = settings(max_examples=40, phases=[Phase.explicit, Phase.generate])


@MOST
@example(seed=0, amount=40, export="preference")
@given(
    seed=st.integers(0, 10**6), amount=st.sampled_from([5, 12, 40]), export=st.sampled_from(["rag", "sft", *["preference"] * 4])
)
def test_deciding_again_what_is_reached_is_enough(opened: Opened, seed: int, amount: int, export: str) -> None:
    engine, _ = opened
    rng = random.Random(seed)
    after = records(rng, amount)
    before = [dict(row) for row in after[: -rng.choice([1, 2])]]
    for row in rng.sample(before, min(len(before), rng.choice([0, 0, 1, 2]))):
        row["category"] = rng.choice([*CATEGORIES, row["category"]])
        row["reasons"] = [rng.choice(["because", "parent_accepted"])]
    pairing: dict[str, Any] = {"pairs": rng.choice(["same-prompt", "task"]), "max_pairs": rng.choice([5, 1, 100])}
    bind_options(engine, include_review=rng.random() < 0.5, include_partial=rng.random() < 0.5, **pairing)
    bind(engine, "before", before)
    old = decided(opened, export)
    bind(engine, "after", after)
    wanted = decided(opened, export)

    reached = reach(opened, export)
    found = decided(opened, export, done=(*OF_ALL, "candidates"))
    sources = {row["sig_hash"]: row["source"] for row in after}
    for stem in STEMS[export]:
        kept = [row for row in old[stem] if not is_reached(export, row, reached, sources)]
        assert _texts([*kept, *found[stem]]) == _texts(wanted[stem]), stem


def _texts(rows: Rows) -> Counter[str]:
    return Counter(str(sorted(row.items())) for row in rows)
