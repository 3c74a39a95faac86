"""A warehouse that older declarations made: the next release writes to it, and every state of before stays what it was."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from pipeline.errors import DamageError, GateError
from pipeline.query.comparing import difference
from pipeline.reader import Warehouse
from pipeline.upkeep.restoring import restore
from tests.conftest import Silent, Workspace, statuses
from tests.support.rows import copied_sql, edit, review
from tests.support.states import State, state_of
from tests.support.traced import of

ROWS = [
    *(review("t1", "accept", f"good {number}", number, mood="calm") for number in range(6)),
    review("t1", "reject", "bad", 20),
    review("t2", "", "unsure", 21, mood="angry"),
]


def next_release(folder: Path) -> Path:
    """Declares a column more of records and of runs, one of capped pairs that must not be null, and one reason more."""
    sql = copied_sql(folder)
    mood = "mood varchar, -- how the reviewer felt\n    "
    edit(sql / "tables/evidence.records.sql", "cited_paths varchar[]", f"{mood}cited_paths varchar[]")
    common = "coalesce(texts(field.cited_paths)"
    edit(sql / "1_evidence/_common.sql", common, f"cast(null as varchar) as mood,\n    {common}")
    edit(sql / "1_evidence/_records.sql", "\n    cited_paths,", "\n    mood,\n    cited_paths,")
    edit(sql / "1_evidence/observer_reviews.sql", "select\n", "select\n    text(field.mood) as mood,\n")
    edit(sql / "tables/exports.capped.sql", "    id varchar", "    kind varchar not null, -- what was capped\n    id varchar")
    edit(sql / "3_exports/capped.sql", "    id,\n", "    'pair' as kind,\n    id,\n")
    edit(sql / "tables/ops.runs.sql", "    run_hash varchar", f"    {mood}run_hash varchar")
    edit(sql / "tables/exports.quarantine.sql", "'conflicting_verdict'", "'conflicting_verdict', 'undecided'")
    edit(sql / "3_exports/rag_gates.sql", "then 'category_disallowed'", "then 'undecided'")
    return sql


@dataclass(frozen=True)
class Older:
    """Two states that today's declarations published, and what comes after them."""

    root: Path
    states: tuple[State, ...]
    sql: Path

    def copy(self, root: Path) -> Workspace:
        return Workspace(self.root).copy(root)

    def reader(self, workspace: Workspace) -> Warehouse:
        return Warehouse(workspace.settings.warehouse, sql=self.sql)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Older:
    workspace, states = Workspace(tmp_path_factory.mktemp("older")), []
    for rows in (ROWS[:7], ROWS[7:]):
        workspace.write("observer_reviews.jsonl", rows)
        workspace.passed()
        states.append(state_of(workspace))
    return Older(workspace.root, tuple(states), next_release(tmp_path_factory.mktemp("release") / "sql"))


def configuration(workspace: Workspace, table: str) -> dict[str, str]:
    room, name = table.split(".")
    return dict(DeltaTable(str(workspace.settings.warehouse / room / name)).metadata().configuration)


def test_the_next_release_fills_what_it_declares(older: Older, tmp_path: Path) -> None:
    workspace = older.copy(tmp_path)
    workspace.passed(sql=older.sql)
    warehouse = older.reader(workspace)
    moods = warehouse.sql("select mood, count(*) as n from evidence.records group by mood order by mood").to_pylist()
    assert moods == [{"mood": "angry", "n": 1}, {"mood": "calm", "n": 6}, {"mood": None, "n": 1}]
    assert warehouse.arrow("exports.capped")["kind"].to_pylist() == ["pair"]
    reasons = warehouse.sql("select distinct reason from exports.quarantine where export = 'rag' order by reason")
    assert reasons["reason"].to_pylist() == ["undecided", "unsafe_rag_category"]
    assert warehouse.arrow("ops.runs")["mood"].to_pylist() == [None] * 3
    # What is written anew has just the declared columns; where rows are only added, old ones have nothing to say there.
    assert _nullable(workspace, "exports", "capped")["kind"] is False
    assert set(statuses(workspace.passed(sql=older.sql)).values()) == {"unchanged"}


def _nullable(workspace: Workspace, room: str, table: str) -> dict[str, bool]:
    fields = DeltaTable(str(workspace.settings.warehouse / room / table)).schema().fields
    return {field.name: field.nullable for field in fields}


def test_older_states_are_read_as_they_were(older: Older, tmp_path: Path) -> None:
    workspace = older.copy(tmp_path)
    workspace.passed(sql=older.sql)
    warehouse = older.reader(workspace)
    for number, state in enumerate(older.states):
        then = {table.name: table.sha256 for table in warehouse.tables(as_of=state.run_id) if table.sha256 is not None}
        assert then == state.hashes
        said = warehouse.sql("select count(*) as n, count(mood) as moods from evidence.records", as_of=state.run_id)
        assert said.to_pylist() == [{"n": (7, 8)[number], "moods": 0}]
        assert warehouse.arrow("exports.capped", as_of=state.run_id)["kind"].null_count == 1
    for table in ("evidence.records", "exports.quarantine", "exports.capped"):
        assert [version["run_id"] for version in warehouse.versions(table) if version["published by"]]
    found = difference(warehouse, "evidence.records", older.states[1].run_id, "latest", 10)
    assert (found.counts, found.columns) == ({"added": 0, "removed": 0, "changed": 7}, {"mood": 7})


def test_an_older_state_is_restored_and_the_newer_one_again(older: Older, tmp_path: Path) -> None:
    workspace = older.copy(tmp_path)
    workspace.passed(sql=older.sql)
    before = configuration(workspace, "exports.quarantine")
    newest = _rows(older.reader(workspace))
    workspace.settings = replace(workspace.settings, sql=older.sql)

    restore(workspace.settings, older.states[0].run_id, Silent())
    assert state_of(workspace).same(older.states[0])
    restore(workspace.settings, "1 run ago", Silent())
    assert _rows(older.reader(workspace)) == newest
    assert configuration(workspace, "exports.quarantine") == before

    # From an older state a run goes on as the first one of the release did.
    restore(workspace.settings, older.states[1].run_id, Silent())
    workspace.passed()
    assert _rows(older.reader(workspace)) == newest


def _rows(warehouse: Warehouse) -> dict[str, list[str]]:
    tables = [table.name for table in warehouse.tables() if table.sha256 is not None and table.name != "raw.files"]
    return {name: sorted(json.dumps(row, default=str) for row in warehouse.arrow(name).to_pylist()) for name in tables}


def test_conditions_are_those_of_today(older: Older, tmp_path: Path) -> None:
    workspace = older.copy(tmp_path)
    workspace.passed(sql=older.sql)
    rows = older.reader(workspace).arrow("exports.quarantine")
    opened = DeltaTable(str(workspace.settings.warehouse / "exports" / "quarantine"))
    (sound,) = rows.slice(0, 1).to_pylist()
    with pytest.raises(DeltaError, match="check"):
        write_deltalake(opened, pa.Table.from_pylist([sound | {"reason": "because"}], schema=rows.schema), mode="append")
    write_deltalake(opened, pa.Table.from_pylist([sound | {"reason": "undecided"}], schema=rows.schema), mode="append")


def test_a_failed_run_leaves_the_older_declarations_in_place(older: Older, tmp_path: Path) -> None:
    workspace = older.copy(tmp_path / "work")
    sql = next_release(tmp_path / "sql")
    edit(sql / "checks/preference_file_equals_table.sql", "from files.preference_lines", "from files.nowhere")
    was = {name: configuration(workspace, name) for name in ("evidence.records", "exports.quarantine", "exports.preference")}
    outcome = workspace.run(sql=sql)
    assert isinstance(outcome.failure, GateError)
    assert state_of(workspace).same(older.states[1])
    assert {name: configuration(workspace, name) for name in was} == was
    assert "mood" not in _nullable(workspace, "evidence", "records")
    assert set(statuses(workspace.passed()).values()) == {"unchanged"}


def test_rows_that_break_a_new_condition_stop_the_run_that_keeps_them(older: Older, tmp_path: Path) -> None:
    """Those of the other exports are not written with the first."""
    workspace = older.copy(tmp_path / "work")
    sql = copied_sql(tmp_path / "sql")
    edit(sql / "tables/exports.quarantine.sql", "'unsafe_sft_category',", "")
    edit(sql / "3_exports/sft_gates.sql", "'unsafe_sft_category'", "'category_disallowed'")
    edit(sql / "3_exports/rag_gates.sql", "'unsafe_rag_category'", "'category_disallowed'")
    outcome = workspace.run(sql=sql)
    assert isinstance(outcome.failure, GateError) and "exports.quarantine" in str(outcome.failure)
    assert state_of(workspace).same(older.states[1])


def test_a_damaged_older_state_is_still_found(older: Older, tmp_path: Path) -> None:
    workspace = older.copy(tmp_path)
    workspace.passed(sql=older.sql)
    warehouse = older.reader(workspace)
    (file,) = warehouse.files("exports.texts", warehouse.snapshot(older.states[0].run_id))
    table = pq.read_table(file)
    pq.write_table(table.set_column(1, "sig_hash", pa.array(["0" * 64] * table.num_rows)), file)
    with pytest.raises(DamageError, match=r"exports\.texts"):
        restore(replace(workspace.settings, sql=older.sql), older.states[0].run_id, Silent())


# --- ids that were over other texts -----------------------------------------------------------------------


def earlier_release(folder: Path) -> Path:
    """Joins texts without their lengths, and says nothing of how the rejected side was asked."""
    sql = copied_sql(folder)
    edit(sql / "functions.sql", "cast(length(t) as varchar) || ':' || t;", "t;")
    table = (sql / "tables/exports.preference.sql").read_text(encoding="utf-8")
    kept = [line for line in table.splitlines() if "    prompt_match" not in line and "rejected_prompt " not in line]
    table = "\n".join(line for line in kept if "check (prompt_match" not in line).replace(", prompt_match, rejected_prompt", "")
    (sql / "tables/exports.preference.sql").write_text(table + "\n", encoding="utf-8")
    model = (sql / "3_exports/preference.sql").read_text(encoding="utf-8")
    said, rest = model.split("as rejected_provenance,")[0], model.split("as rejected_prompt\n")[1]
    (sql / "3_exports/preference.sql").write_text(f"{said}as rejected_provenance\n{rest}", encoding="utf-8")
    check = sql / "checks/preference_file_is_gated.sql"
    check.write_text(check.read_text(encoding="utf-8").split("\nwith ")[0] + "\nselect id from files.preference where false\n")
    return sql


def test_rows_with_ids_of_an_earlier_release_are_traced_restored_and_renamed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    workspace.write("observer_reviews.jsonl", ROWS)
    workspace.passed(sql=earlier_release(tmp_path / "sql"))
    older = state_of(workspace)
    ids = {name: {row["id"] for row in workspace.rows(f"exports.{name}")} for name in ("rag", "sft", "preference")}
    workspace.passed()
    assert {row["prompt_match"] for row in workspace.rows("exports.preference")} == {"same"}
    newer = state_of(workspace)
    for name, was in ids.items():
        now = {row["id"] for row in workspace.rows(f"exports.{name}")}
        assert (len(now) == len(was)) and (now == was if name == "rag" else not now & was)
    for asked in (*ids["sft"], *ids["preference"]):
        assert of(workspace, asked, as_of=older.run_id).holds
    restore(workspace.settings, older.run_id, Silent())
    assert state_of(workspace).same(older)
    workspace.passed()
    assert state_of(workspace).same(newer)
