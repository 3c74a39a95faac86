"""SQL that changed under a new version changes what hangs on it, and nothing else; SQL that changed silently is reported."""

import re
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from pipeline import models
from pipeline.errors import ModelError
from pipeline.models import compile
from pipeline.settings import builtin_sql
from tests.conftest import STAGES, Workspace, statuses
from tests.support.rows import copied_sql, edit, review

SCORER, STREAM, GATES = "2_scored/observer_reviews.sql", "1_evidence/observer_reviews.sql", "3_exports/sft_gates.sql"
ROWS = [
    review("t1", "accept", "good", 1),
    review("t1", "reject", "bad", 2),
    review("t2", "cycle", "so so", 3),
    review("t3", "", "unsure", 4),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Workspace(tmp_path_factory.mktemp("built"))
    workspace.write("observer_reviews.jsonl", ROWS)
    workspace.write("tickets.jsonl", [{"opened": 1, "ticket": "t1", "question": "why", "answer": "because"}])
    workspace.passed()
    return workspace.root


@pytest.fixture
def ready(built: Path, tmp_path: Path) -> Workspace:
    """A warehouse with one review of every category and a stream that has no model yet."""
    return Workspace(built).copy(tmp_path)


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    return copied_sql(tmp_path / "sql")


def moved(drift: dict[str, Any] | None) -> dict[str, str | None]:
    """Returns the tables that a run changed, each with the cause."""
    assert drift is not None
    return {row["table"]: row["cause"] for row in drift["tables"] if row["added"] or row["removed"] or row["changed"]}


# --- the lock ---------------------------------------------------------------------------------------------


def test_sql_that_changed_without_a_new_version_is_reported(ready: Workspace, sql: Path) -> None:
    assert models.load([sql]).unlocked() == []
    edit(sql / SCORER, "score('accepted', ['observer_accept'])", "score('accepted', ['observer_said_yes'])", raised=False)
    (finding,) = models.load([sql]).unlocked()
    assert finding.startswith("scored/observer_reviews: its SQL changed")
    checked = ready.command("lock", "--check", "--sql", str(sql))
    assert (checked.returncode, checked.stdout.strip()) == (1, finding)
    before = (sql / "versions.lock").read_bytes()
    with pytest.raises(ModelError, match="its SQL changed"):
        models.write_lock(sql)
    assert (sql / "versions.lock").read_bytes() == before
    outcome = ready.passed(sql=sql)
    assert f"versions.lock: {finding}" in outcome.receipts[0]["validation"]["warnings"]
    assert {reason for row in ready.rows("scored.runs") for reason in row["reasons"]} >= {"observer_said_yes"}


def test_a_raised_version_is_locked_on_request(sql: Path) -> None:
    edit(sql / SCORER, "observer_accept", "observer_said_yes")
    (finding,) = models.load([sql]).unlocked()
    assert "version 2" in finding
    models.write_lock(sql)
    assert models.load([sql]).unlocked() == []
    (sql / STREAM).rename(sql / "1_evidence/renamed.sql")
    assert [line.split(":")[0] for line in models.load([sql]).unlocked()] == ["evidence/renamed"]


def test_comments_and_layout_are_not_sql(sql: Path) -> None:
    before = compile.plain_model(models.load([sql]), "exports/sft_gates").fingerprint
    path = sql / GATES
    path.write_text(
        path.read_text().replace("\nselect", "\n\n-- a word of explanation\nselect  -- and another").replace("    ", "\t")
    )
    library = models.load([sql])
    assert library.unlocked() == []
    assert compile.plain_model(library, "exports/sft_gates").fingerprint == before


def test_a_function_is_part_of_the_models_that_use_it(sql: Path) -> None:
    def fingerprints() -> dict[str, str]:
        library = models.load([sql])
        streams = {m.name: compile.evidence_model(library, m.stem).fingerprint for m in library.room("evidence")}
        return streams | {m.name: compile.scoring_model(library, m).fingerprint for m in library.room("scored")}

    before = fingerprints()
    edit(sql / "functions.sql", "create macro truth(value) as case value", "create macro truth(value) as case trim(value)")
    after = fingerprints()
    assert {name for name in before if before[name] != after[name]} == {
        "evidence/model_trust",
        "evidence/optimization_runs",
        "evidence/outcomes",
    }


# --- what runs again --------------------------------------------------------------------------------------

CHANGES = {
    "evidence": (STREAM, "word(field.verdict)", "coalesce(word(field.verdict), 'reject')", STAGES[:-1]),
    "scoring": (SCORER, "'observer_cycle'", "'observer_went_round'", STAGES[1:-1]),
    "gates": (GATES, "'category_disallowed'", "'unsafe_sft_category'", ("export-sft",)),
}
MOVED = {
    "evidence": {"evidence.records", "scored.runs", "exports.quarantine"},
    "scoring": {"scored.runs"},
    "gates": {"exports.quarantine"},
}


@pytest.mark.parametrize("kind", CHANGES)
def test_exactly_what_hangs_on_a_changed_model_runs_again(ready: Workspace, sql: Path, kind: str) -> None:
    model, old, new, again = CHANGES[kind]
    versions = ready.versions()
    edit(sql / model, old, new)
    outcome = ready.passed(sql=sql)
    assert statuses(outcome) == {stage: "ran" if stage in again else "unchanged" for stage in STAGES}
    changed = moved(outcome.drift)
    assert {name: cause for name, cause in changed.items() if name in MOVED[kind]} == dict.fromkeys(MOVED[kind], "sql")
    assert set(changed.values()) == {"sql"}
    assert ready.versions()["raw.lines"] == versions["raw.lines"]
    _commit_names_run_and_models(ready, outcome.run_id, model)


def _commit_names_run_and_models(ready: Workspace, run_id: str, model: str) -> None:
    name = f"{model.split('/')[0].split('_')[1]}/{Path(model).stem}"
    table = {"evidence": "evidence/records", "scored": "scored/runs", "exports": "exports/quarantine"}[name.split("/")[0]]
    commit = DeltaTable(str(ready.settings.warehouse / table)).history(1)[0]
    assert commit["run_id"] == run_id
    marks = dict(part.split("=") for part in commit["models"].split())
    version, fingerprint = marks[name].split(":")
    assert (int(version), len(fingerprint)) == (models.load([builtin_sql()])[name].version + 1, 64)
    receipts = [receipt for receipt in ready.warehouse.receipts(run_id) if receipt["status"] == "ran"]
    said = {m["name"]: (str(m["version"]), m["fingerprint"]) for receipt in receipts for m in receipt["models"]}
    assert said[name] == (version, fingerprint)


def test_appended_lines_are_the_cause_input_and_with_changed_sql_the_cause_is_both(ready: Workspace, sql: Path) -> None:
    ready.write("observer_reviews.jsonl", [review("t4", "accept", "new", 5)])
    appended = ready.passed()
    assert moved(appended.drift) | {"exports.preference": None} == {
        **dict.fromkeys(["raw.lines", "evidence.records", "scored.runs", "exports.rag", "exports.sft"], "input"),
        "exports.playbooks": "input",
        "exports.preference": None,
    }
    ready.write("observer_reviews.jsonl", [review("t5", "cycle", "newer", 6)])
    edit(sql / SCORER, "'observer_cycle'", "'observer_went_round'")
    both = moved(ready.passed(sql=sql).drift)
    assert (both["raw.lines"], both["evidence.records"], both["scored.runs"]) == ("input", "input", "both")
    assert both["exports.quarantine"] == "both"


# --- models of a team's own -------------------------------------------------------------------------------

OWN_STREAM = """-- A question to the help desk, and its answer.
-- grain: one row per object line of the stream
-- version: 1
select
    field.opened as time_field,
    text(field.ticket) as task_id,
    text(field.question) as instruction,
    text(field.answer) as content
from evidence.objects
where source = 'tickets'
"""
OWN_SCORER = """-- An answer is worth what the best review of its task was.
-- grain: one row per record
-- version: 3
with parents as (
    select task_id, min(category) as best from scored.runs where source = 'observer_reviews' group by task_id
)
select score(parents.best, ['as_reviewed']) as score
from evidence.records as records
left join parents on records.task_id = parents.task_id
where records.source = 'tickets'
"""


def test_a_stream_is_added_by_two_files_in_a_folder_of_their_own(ready: Workspace) -> None:
    own = ready.root / "own"
    for name, text in (("1_evidence/tickets.sql", OWN_STREAM), ("2_scored/tickets.sql", OWN_SCORER)):
        (own / name).parent.mkdir(parents=True)
        (own / name).write_text(text)
    version = ready.versions()["raw.lines"]
    done = ready.command("run-all", "--sql", str(own))
    assert done.returncode == 0, done.stderr
    assert ready.versions()["raw.lines"] == version
    (score,) = (row for row in ready.rows("scored.runs") if row["source"] == "tickets")
    assert (score["task_id"], score["category"], score["reasons"]) == ("t1", "accepted", ["as_reviewed"])
    assert re.fullmatch("[0-9a-f]{12}", score["scorer_version"])
    fingerprints = {
        m["name"]: m["fingerprint"] for r in ready.warehouse.receipts(ready.warehouse.snapshot().made_by) for m in r["models"]
    }
    assert fingerprints["scored/tickets"].startswith(score["scorer_version"])
    assert "because" in {row["response"] for row in ready.exported("sft/instruction_response.jsonl")}
    assert set(statuses(ready.passed(sql=own)).values()) == {"unchanged"}
    ready.passed()
    assert {row["source"] for row in ready.rows("scored.runs")} == {"observer_reviews"}


def test_models_run_in_the_order_of_their_inputs(ready: Workspace, sql: Path) -> None:
    """A model that others read comes before them, whatever it is called."""
    (sql / "3_exports/zebra.sql").write_text(
        "-- Records that an analyst vetoed.\n-- grain: one row per record\n-- version: 1\n"
        "select source, sig_hash from exports.yak where task_id = 't1'\n"
    )
    (sql / "3_exports/yak.sql").write_text(
        "-- All of them.\n-- grain: one row per record\n-- version: 1\nselect source, sig_hash, task_id from scored.runs\n"
    )
    veto = (
        "when (candidates.source, candidates.sig_hash) in (select (source, sig_hash) from exports.zebra) then 'empty_content'\n"
    )
    edit(sql / GATES, "when candidates.row_reason is not null", f"{veto} when candidates.row_reason is not null")
    outcome = ready.passed(sql=sql)
    assert statuses(outcome)["export-sft"] == "ran"
    assert [row["task_id"] for row in ready.exported("sft/instruction_response.jsonl")] == []
    library = models.load([builtin_sql()])
    for room in ("evidence", "scored", "exports", "drift"):
        for model in library.room(room):
            assert model.inputs, f"{model.name} reads nothing"
