"""Which model should get the task: the order, when the evidence is too thin to say, and the command that prints it."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline import models
from pipeline.engine import Engine
from pipeline.settings import builtin_sql
from tests.conftest import Workspace
from tests.oracle.ledger import wilson
from tests.score.test_ledger import call
from tests.support.forked import Distill, passed, refused, run_in
from tests.support.gates import RECORDS, RUNS, record

Row = dict[str, Any]


def ranked(
    engine: Engine, min_records: int, **fleet: tuple[int, int, int] | tuple[int, int, int, float]
) -> tuple[list[Row], Row]:
    """Returns the ranking and the answer for models with so many accepted, rejected and waiting records, of one cost each."""
    rows = []
    for name, (accepted, rejected, waiting, *cost) in fleet.items():
        categories = ["accepted"] * accepted + ["rejected"] * rejected + ["needs_human_review"] * waiting
        rows += [
            record(f"{name}-{n}", category, source="audits", model_name=name, cost_usd=cost[0] if cost else None)
            for n, category in enumerate(categories)
        ]
    rows = [row | {"line_offset": number} for number, row in enumerate(rows)]
    library = models.load([builtin_sql()])
    engine.bind_arrow("evidence.records", pa.Table.from_pylist(rows, schema=RECORDS))
    engine.bind_arrow("scored.runs", pa.Table.from_pylist(rows, schema=RUNS))
    engine.define("run.calls", library["ledger/_calls"].sql)
    engine.materialise("scored.model_ledger", library["ledger/model_ledger"].sql)
    engine.bind_arrow("run.asked", pa.table({"min_records": pa.array([min_records], pa.int64())}))
    engine.materialise("run.ranking", library["ledger/ranking"].sql)
    (answer,) = engine.rows(library["ledger/answers"].sql)
    return engine.rows("select * from run.ranking order by place"), answer


def standings(ranking: list[Row]) -> list[tuple[str, str]]:
    return [(row["model_name"], row["standing"]) for row in ranking]


# --- the rule ---------------------------------------------------------------------------------------------


def test_the_better_one_is_named_where_the_intervals_do_not_touch(engine: Engine) -> None:
    ranking, answer = ranked(engine, 20, worse=(30, 70, 0), better=(90, 10, 0))
    assert standings(ranking) == [("better", "first"), ("worse", "behind")]
    assert (answer["is_clear"], answer["model_name"]) == (True, "better")
    assert answer["answer"] == (
        "better (90 % of 100 accepted, 83 % to 94 %): above the interval of every other with 20 verdicts"
    )


def test_a_few_lucky_records_do_not_come_first(engine: Engine) -> None:
    ranking, answer = ranked(engine, 3, lucky=(3, 0, 0), proven=(90, 10, 0))
    assert standings(ranking) == [("proven", "first"), ("lucky", "may be as good")]
    assert not answer["is_clear"]
    assert answer["answer"].endswith("comes first, but lucky (100 % of 3 accepted, 44 % to 100 %) may be as good")


THIN = {
    "overlap": (
        20,
        {"a": (60, 40, 0), "b": (55, 45, 0), "c": (50, 50, 0)},
        "b (55 % of 100 accepted, 45 % to 64 %) and 1 more",
    ),
    "nobody has enough": (
        101,
        {"a": (90, 10, 0), "b": (10, 90, 0)},
        "a (90 % of 100 accepted, 83 % to 94 %) comes first, but none",
    ),
    "the first has not enough": (
        20,
        {"a": (19, 0, 0), "b": (10, 90, 0)},
        "fewer than 20 verdicts; of those with enough, b (10 %",
    ),
    "nobody to compare with": (20, {"a": (90, 10, 0), "b": (1, 3, 0)}, "but no other has 20 verdicts to hold it against"),
    "the only one": (20, {"a": (90, 10, 0)}, "but no other has 20 verdicts to hold it against"),
    "no verdicts": (1, {"a": (0, 0, 5), "b": (0, 0, 6)}, "none of 11 records has a verdict"),
}


@pytest.mark.parametrize("case", THIN)
def test_thin_evidence_is_called_thin(engine: Engine, case: str) -> None:
    min_records, fleet, said = THIN[case]
    ranking, answer = ranked(engine, min_records, **fleet)
    assert not answer["is_clear"]
    assert answer["answer"].startswith("too thin: ") and said in answer["answer"]
    assert ranking[0]["model_name"] == answer["model_name"] == "a"
    thin = {name for name, numbers in fleet.items() if sum(numbers[:2]) < min_records}
    assert {name for name, standing in standings(ranking) if standing in ("too few verdicts", "not judged")} == thin


def test_what_waits_counts_for_nobody_and_is_spoken_of(engine: Engine) -> None:
    ranking, answer = ranked(engine, 20, a=(90, 10, 101), b=(30, 70, 0))
    assert ranking[0]["accepted_of_judged"] == 0.9
    assert answer["is_clear"]
    assert answer["answer"].endswith("; most of its records, 101 of 201, wait for a verdict")


def test_of_two_equals_the_cheaper_one_comes_first(engine: Engine) -> None:
    ranking, _ = ranked(engine, 20, a=(30, 10, 0), b=(30, 10, 0, 0.2), c=(30, 10, 0, 0.1), d=(30, 10, 0))
    assert [row["model_name"] for row in ranking] == ["c", "b", "a", "d"]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_is_that_of_the_lower_ends(engine: Engine, seed: int) -> None:
    rng = random.Random(seed)
    fleet = {f"m{n}": (rng.randint(0, 60), rng.randint(0, 60), rng.randint(0, 9), rng.random()) for n in range(12)}
    ranking, answer = ranked(engine, 10, **fleet)

    def place(name: str) -> tuple[float, float]:
        accepted, rejected, _, cost = fleet[name]
        low = abs(round(wilson(accepted, accepted + rejected)[0], 6)) if accepted + rejected else -1.0
        return -low, cost * sum(fleet[name][:3]) / (accepted or 1e-9)

    assert [row["model_name"] for row in ranking] == sorted(fleet, key=place)
    known = [name for name in sorted(fleet, key=place) if sum(fleet[name][:2]) >= 10]
    low = wilson(fleet[known[0]][0], sum(fleet[known[0]][:2]))[0]
    rivals = [name for name in known[1:] if wilson(fleet[name][0], sum(fleet[name][:2]))[1] >= low]
    assert [name for name, standing in standings(ranking) if standing == "may be as good"] == rivals
    assert answer["is_clear"] == (not rivals and len(known) > 1 and known[0] == ranking[0]["model_name"])


# --- the command ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A fleet of two on one type of task and of one on another; the second run brings the verdicts that tell them apart."""
    workspace = Workspace(tmp_path_factory.mktemp("fleet"))
    few = [call(n, model="good", thumb="up", latency_ms=1000 + n, cost_usd=0.001) for n in range(4)]
    few += [call(n, model="[red]bad\x1b[2J", thumb="down") for n in range(10, 14)] + [call(20, task_type="summary")]
    workspace.write("model_trust.jsonl", few)
    workspace.passed()
    many = [call(n, model="good", thumb="up") for n in range(100, 130)]
    workspace.write("model_trust.jsonl", [*many, *(call(n, model="[red]bad\x1b[2J", thumb="down") for n in range(200, 230))])
    workspace.passed()
    return workspace


def test_models_prints_the_best_first(published: Workspace, distill: Distill) -> None:
    text = passed(run_in(distill, published, "models")).out
    lines = text.splitlines()
    assert lines[0] == "summary: too thin: none of 1 records has a verdict"
    assert lines[4] == "triage: good (100 % of 34 accepted, 90 % to 100 %): above the interval of every other with 20 verdicts"
    assert [line.split()[:2] for line in lines[6:]] == [["1", "good"], ["2", r"[red]bad\x1b[2J"]]
    assert lines[6].split()[-5:] == ["1,002", "1,003", "0.001000", "2026-04-27", "first"]


def test_models_for_machines_at_any_state(published: Workspace, distill: Distill) -> None:
    now, then = (
        json.loads(passed(run_in(distill, published, "models", "--json", "--task-type", "triage", *more)).out)
        for more in ((), ("--as-of", "1 run ago"))
    )
    assert (now["min_records"], [one["name"] for one in now["task_types"]]) == (20, ["triage"])
    assert [one["is_clear"] for found in (now, then) for one in found["task_types"]] == [True, False]
    assert then["run_id"] != now["run_id"]
    best = now["task_types"][0]["models"][0]
    assert (best["place"], best["model_name"], best["judged"], best["standing"]) == (1, "good", 34, "first")
    assert best["first_seen_at"] == "2026-04-27T00:00:00+00:00"
    few = ("--min-records", "4", "--as-of", "1 run ago", "--task-type", "triage")
    assert "above the interval of every other with 4 verdicts" in passed(run_in(distill, published, "models", *few)).out
    assert "none has 35 verdicts" in passed(run_in(distill, published, "models", "--min-records", "35")).out


def test_models_refuses_what_is_not_there(published: Workspace, distill: Distill) -> None:
    refused(run_in(distill, published, "models", "--task-type", "cooking"), 2, "'cooking'", "summary, triage")
    refused(run_in(distill, published, "models", "--min-records", "0"), 2, "--min-records")
    refused(run_in(distill, published, "models", "--as-of", "never"), 2, "never")
    refused(run_in(distill, published, "models", "--warehouse", "nowhere"), 3, "nowhere", "run-all")


def test_models_of_an_empty_warehouse(workspace: Workspace, distill: Distill) -> None:
    refused(run_in(distill, workspace, "models"), 3, "distill run-all")
    workspace.write("audits.jsonl", [])
    workspace.passed()
    assert passed(run_in(distill, workspace, "models")).out == "no record names its model yet\n"
    assert json.loads(passed(run_in(distill, workspace, "models", "--json")).out)["task_types"] == []


def test_a_team_may_argue_with_the_rule(published: Workspace, distill: Distill, tmp_path: Path) -> None:
    """A file of the same name in a folder of one's own replaces ours."""
    own = tmp_path / "6_ledger/ranking.sql"
    own.parent.mkdir()
    text = (builtin_sql() / "6_ledger/ranking.sql").read_text(encoding="utf-8")
    own.write_text(text.replace("order by doubt, price, model_name", "order by price, doubt, model_name"), encoding="utf-8")
    assert "triage" in passed(run_in(distill, published, "models", "--sql", str(tmp_path))).out
