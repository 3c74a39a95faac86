"""The ledger of models: its numbers against hand and oracle, what it counts, and that it does not depend on the way there."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import models
from pipeline.engine import Engine
from pipeline.settings import builtin_sql
from tests.conftest import Workspace, statuses
from tests.oracle.ledger import ledger
from tests.oracle.messy import write_messy
from tests.support.gates import CATEGORIES, RECORDS, RUNS, record
from tests.support.rows import copied_sql, edit, review
from tests.support.states import put_back

Row = dict[str, Any]
LEDGER = "scored.model_ledger"


def call(number: int, **more: Any) -> Row:
    """A row of model_trust: a measured call that nobody judged, unless it says otherwise."""
    row = {
        "ts": f"2026-04-27T00:{number // 60:02d}:{number % 60:02d}Z",
        "run_id": f"call-{number}",
        "task_id": f"task-{number}",
    }
    return row | {"model": "m", "provider": "p", "task_type": "triage", "ok": True} | more


def entries(workspace: Workspace) -> dict[tuple[str, str], Row]:
    return {(row["model_name"], row["task_type"]): row for row in workspace.rows(LEDGER)}


def same(ours: Row, theirs: Row) -> None:
    """Holds an entry against the oracle's: shares to six digits, money to nine, everything that is counted exactly."""
    for name, value in theirs.items():
        if isinstance(value, float):
            places = 2e-9 * max(1, theirs["records"]) if "cost" in name else 1e-3 if "latency" in name else 1e-6
            assert ours[name] == pytest.approx(value, rel=1e-9, abs=places), name
        else:
            assert ours[name] == value, name


# --- numbers ----------------------------------------------------------------------------------------------


def test_a_small_case_worked_out_by_hand(workspace: Workspace) -> None:
    """Six accepted of eight judged, and two more that wait for a human."""
    rows = [call(n, thumb="up", latency_ms=100 * (n + 1), cost_usd=0.25) for n in range(6)]
    rows += [call(6, thumb="down", latency_ms=700, cost_usd=0.5), call(7, ok=False, latency_ms=800)]
    rows += [call(8, latency_ms=900), call(9)]
    workspace.write("model_trust.jsonl", rows)
    workspace.passed()
    entry = entries(workspace)["m", "triage"]
    assert {name: entry[name] for name in (*CATEGORIES, "records", "judged", "model_provider", "providers")} == {
        "accepted": 6,
        "partially_accepted": 0,
        "rejected": 2,
        "needs_human_review": 2,
        "records": 10,
        "judged": 8,
        "model_provider": "p",
        "providers": 1,
    }
    assert (entry["accepted_share"], entry["accepted_low"], entry["accepted_high"]) == (0.6, 0.312674, 0.831820)
    assert [entry[f"partially_accepted_{end}"] for end in ("share", "low", "high")] == [0.0, 0.0, 0.277533]
    assert [entry[f"accepted_of_judged{end}"] for end in ("", "_low", "_high")] == [0.75, 0.409275, 0.928521]
    assert (entry["latency_records"], entry["cost_records"]) == (9, 7)
    assert [entry[f"latency_ms_{part}"] for part in ("p50", "p90", "p99")] == [500.0, 820.0, 892.0]
    assert [entry[f"cost_usd_{part}"] for part in ("p50", "p90", "p99")] == [0.25, 0.35, 0.485]
    assert (entry["cost_usd_total"], entry["cost_usd_per_accepted"]) == (2.0, pytest.approx(2 / 6, abs=1e-9))
    assert (entry["first_seen_at"], entry["last_seen_at"]) == (
        datetime(2026, 4, 27, 0, 0, 0, tzinfo=UTC),
        datetime(2026, 4, 27, 0, 0, 9, tzinfo=UTC),
    )


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> list[Engine]:
    functions = models.load([builtin_sql()]).functions.sql
    return [Engine(functions, threads=n, spill=tmp_path_factory.mktemp("spill")) for n in (1, 4)]


def computed(engine: Engine, rows: list[Row]) -> list[Row]:
    """Returns what the SQL says of records with their categories."""
    library = models.load([builtin_sql()])
    engine.bind_arrow("evidence.records", pa.Table.from_pylist(rows, schema=RECORDS))
    engine.bind_arrow("scored.runs", pa.Table.from_pylist(rows, schema=RUNS))
    engine.define("run.calls", library["ledger/_calls"].sql)
    return engine.rows(f"select * from ({library['ledger/model_ledger'].sql}) order by model_name, task_type")


NAMES = st.sampled_from(["m-1", "m-2", " m-1\t", "", " ", None])
AMOUNTS = st.none() | st.floats(-1, 2e9) | st.floats(0, 0.01)
RECORD = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["model_trust", "audits", "outcomes"]),
        "subject": st.sampled_from(["triage", " triage ", "  ", None]),
        "model_name": NAMES,
        "model_provider": NAMES,
        "category": st.sampled_from(CATEGORIES),
        "latency_ms": st.none() | st.integers(-5, 2**62),
        "cost_usd": AMOUNTS,
        "second": st.integers(0, 10**6),
    }
)


@settings(max_examples=60)
@given(rows=st.lists(RECORD, max_size=40), seed=st.integers(0, 100))
def test_the_sql_says_what_the_oracle_says_in_any_order_on_any_number_of_threads(
    engines: list[Engine], rows: list[Row], seed: int
) -> None:
    rows = [record(str(n), line_offset=n, **row) for n, row in enumerate(rows)]
    ours = computed(engines[0], rows)
    theirs = ledger(rows, rows)
    assert {(row["model_name"], row["task_type"]) for row in ours} == theirs.keys()
    for row in ours:
        same(row, theirs[row["model_name"], row["task_type"]])
    random.Random(seed).shuffle(rows)
    assert computed(engines[1], rows) == ours


def test_many_records_add_up_to_the_same_bits_in_any_order(engines: list[Engine]) -> None:
    rng = random.Random(7)
    rows = [
        record(str(n), rng.choice(CATEGORIES), line_offset=n, model_name="m", cost_usd=rng.random() / 7, latency_ms=n)
        for n in range(20_000)
    ]
    first = computed(engines[0], rows)
    rng.shuffle(rows)
    assert computed(engines[1], rows) == first


# --- what is counted --------------------------------------------------------------------------------------


def test_types_of_tasks_names_and_providers(workspace: Workspace) -> None:
    workspace.write(
        "model_trust.jsonl",
        [
            call(1, model=" m ", task_type=" triage"),
            call(2, provider="q"),
            call(3, task_type=" "),
            call(4, model=""),
            call(5, model=None, latency_ms=5),
        ],
    )
    workspace.write("observer_reviews.jsonl", [review("t", "accept", "one", model="m"), review("t", "accept", "two")])
    workspace.passed()
    found = entries(workspace)
    assert {key: row["records"] for key, row in found.items()} == {
        ("m", "triage"): 2,
        ("m", "model_trust"): 1,
        ("m", "observer_reviews"): 1,
    }
    assert {key: (row["model_provider"], row["providers"]) for key, row in found.items()} == {
        ("m", "triage"): (None, 2),
        ("m", "model_trust"): ("p", 1),
        ("m", "observer_reviews"): (None, 0),
    }


def test_what_was_measured_wrong_is_not_known(workspace: Workspace) -> None:
    """And the cost per accepted record is worked out over the records whose cost is known, alone."""
    workspace.write(
        "model_trust.jsonl",
        [
            call(1, thumb="up", latency_ms=-1, cost_usd=-0.5),
            call(2, thumb="up", latency_ms=0, cost_usd=1e300),
            call(3, thumb="up", cost_usd=0.5),
            call(4, thumb="down", cost_usd=0.25),
            call(5, model="dear", thumb="down", cost_usd=3),
            call(6, model="silent", thumb="up"),
        ],
    )
    workspace.passed()
    found = {key[0]: row for key, row in entries(workspace).items()}
    assert (found["m"]["latency_records"], found["m"]["latency_ms_p50"], found["m"]["cost_records"]) == (1, 0.0, 2)
    assert (found["m"]["cost_usd_total"], found["m"]["cost_usd_per_accepted"]) == (0.75, 0.75)
    assert (found["dear"]["cost_usd_total"], found["dear"]["cost_usd_per_accepted"]) == (3.0, None)
    assert (found["silent"]["cost_usd_total"], found["silent"]["cost_usd_per_accepted"]) == (None, None)


def test_the_ledger_of_hostile_input_is_the_oracles(workspace: Workspace) -> None:
    write_messy(workspace.data, 4, 500)
    workspace.passed()
    ours = entries(workspace)
    theirs = ledger(workspace.rows("evidence.records"), workspace.rows("scored.runs"))
    assert ours.keys() == theirs.keys() and ours
    for key, row in ours.items():
        same(row, theirs[key])


# --- the way there ----------------------------------------------------------------------------------------


def test_piece_by_piece_equals_at_once_and_nothing_is_written_twice(workspace: Workspace, second: Workspace) -> None:
    reviews = [
        review(f"t{n % 3}", ("accept", "reject", "")[n % 3], f"note {n}", n, model="m", cost_usd=n / 7) for n in range(9)
    ]
    fact = {"created_at": 1, "task_id": "t1", "run_id": "f", "text": "a fact", "model": "m"}
    second.write("observer_reviews.jsonl", reviews)
    second.write("distilled_facts.jsonl", [fact])
    second.passed()
    workspace.write("distilled_facts.jsonl", [fact])
    workspace.passed()
    assert entries(workspace)["m", "distilled_facts"]["needs_human_review"] == 1
    for step in range(3):
        workspace.write("observer_reviews.jsonl", reviews[3 * step : 3 * step + 3])
        workspace.passed()
    assert entries(workspace)["m", "distilled_facts"]["rejected"] == 1, "its parent was judged later"
    assert workspace.hashes() == second.hashes()
    version = workspace.versions()[LEDGER]
    assert set(statuses(workspace.passed()).values()) == {"unchanged"}
    workspace.write("observer_reviews.jsonl", [review("t9", "accept", "of nobody")])
    assert statuses(workspace.passed())["score"] == "ran"
    assert workspace.versions()[LEDGER] == version, "what names no model does not change the ledger"


def test_it_goes_with_the_snapshot_and_comes_back_with_it(workspace: Workspace) -> None:
    workspace.write("model_trust.jsonl", [call(1, thumb="up")])
    first = workspace.passed()
    before, hashes = entries(workspace), workspace.hashes()
    workspace.write("model_trust.jsonl", [call(2, thumb="down"), call(3, model="n")])
    outcome = workspace.passed()
    score = next(receipt for receipt in outcome.receipts if receipt["stage"] == "score")
    assert [table["name"] for table in score["outputs"]] == ["scored.runs", LEDGER]
    assert {"ledger/_calls", "ledger/model_ledger"} <= {model["name"] for model in score["models"]}
    assert outcome.drift is not None
    (moved,) = (row for row in outcome.drift["tables"] if row["table"] == LEDGER)
    assert (moved["added"], moved["removed"], moved["changed"], moved["cause"]) == (1, 0, 1, "input")
    earlier = workspace.warehouse.arrow(LEDGER, as_of=first.run_id).to_pylist()
    assert {(row["model_name"], row["task_type"]): row for row in earlier} == before
    put_back(workspace, first.run_id)
    assert entries(workspace) == before
    assert workspace.hashes() == hashes


def test_a_change_of_the_ledger_alone_judges_nothing_again(workspace: Workspace) -> None:
    workspace.write("model_trust.jsonl", [call(1, thumb="up")])
    workspace.passed()
    sql, versions = copied_sql(workspace.root / "sql"), workspace.versions()
    edit(sql / "6_ledger/_calls.sql", "case when source = 'model_trust' then", "case when source = 'audits' then")
    outcome = workspace.passed(sql=sql)
    assert list(entries(workspace)) == [("m", "model_trust")]
    assert {name for name, version in workspace.versions().items() if versions[name] != version} == {LEDGER}
    assert outcome.drift is not None
    assert {row["cause"] for row in outcome.drift["tables"] if row["table"] == LEDGER} == {"sql"}


# --- the checks -------------------------------------------------------------------------------------------

LEAKS = {
    "a model is left out": ("_calls.sql", "where not is_blank(model_name)", "where model_name <> 'n'", "in the ledger: 1"),
    "a share beside its interval": (
        "model_ledger.sql",
        "wilson_low(rejected, records) as rejected_low",
        "0.5 as rejected_low",
        "m, triage",
    ),
    "a category counted twice": (
        "model_ledger.sql",
        "count(case when category = 'rejected' then 1 end)",
        "count(*)",
        "rows for scored.model_ledger break",
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_ledger_that_does_not_add_up_is_not_published(workspace: Workspace, tmp_path: Path, leak: str) -> None:
    file, old, new, said = LEAKS[leak]
    workspace.write("model_trust.jsonl", [call(1, thumb="up"), call(2, model="n", thumb="up")])
    sql = copied_sql(tmp_path / "sql")
    edit(sql / "6_ledger" / file, old, new)
    failure = workspace.run(sql=sql).failure
    assert said in str(failure)
    assert not workspace.warehouse.snapshots()
