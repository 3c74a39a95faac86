"""The three layers of the firewall, each alone against a planted leak: gates in SQL, table constraints, a re-read of files."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from pipeline.errors import GateError
from pipeline.runner import Outcome
from pipeline.settings import Gates
from tests.conftest import Workspace, statuses
from tests.support.gates import gate_engine
from tests.support.harm import harmful_write
from tests.support.rows import copied_sql, edit, review

EXPORTS = ("rag", "sft", "preference")
RAG, SFT = "rag/playbooks.jsonl", "sft/instruction_response.jsonl"
ROWS = [
    *(review("t1", "accept", f"good {number}", number) for number in range(12)),
    review("t1", "reject", "LEAK rejected", 20),
    review("t1", "cycle", "so so", 21),
    review("t2", "", "LEAK unsure", 22),
    review("t3", "accept", "own", 23, run_id="self"),
    review("t3", "reject", "LEAK own", 24, run_id="self"),
]
POISON = {
    "3_exports/rag.sql": ("gates.reason is null", "coalesce(gates.reason = 'unsafe_rag_category', true)"),
    "3_exports/sft.sql": ("gates.reason is null", "coalesce(gates.reason = 'unsafe_sft_category', true)"),
    "3_exports/preference.sql": ("pairs.reason is null", "coalesce(pairs.reason = 'self_pairing', true)"),
}


def filled(root: Path, sql: Path | None = None) -> Workspace:
    workspace = Workspace(root)
    workspace.write("observer_reviews.jsonl", ROWS)
    workspace.passed(sql=sql)
    return workspace


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("built")).root


@pytest.fixture
def ready(built: Path, tmp_path: Path) -> Workspace:
    return Workspace(built).copy(tmp_path)


def without_constraints(sql: Path) -> Path:
    """Takes every check out of the declarations of the export tables."""
    for path in (sql / "tables").glob("exports.*.sql"):
        text = re.sub(r"(?ms)^    check \(.*?^\);", ");", path.read_text())
        path.write_text(re.sub(r",( -- [^\n]*\n\);)", r"\1", text))
    return sql


def without_checks(sql: Path, kept: str = "") -> Path:
    """Blinds every check but those whose name ends with `kept`."""
    for path in (sql / "checks").glob("*.sql"):
        if not kept or not path.stem.endswith(kept):
            path.write_text(f"{path.read_text().rstrip()}\nlimit 0\n")
    return sql


def poisoned(sql: Path) -> Path:
    """Lets out what one gate of each export stops."""
    for name, (old, new) in POISON.items():
        edit(sql / name, old, new)
    return sql


def stands(workspace: Workspace, attack: Callable[[], Outcome], stopped: tuple[str, ...] = EXPORTS) -> Outcome:
    """Holds that an attack fails with exit code 1 and changes nothing that a reader could see."""
    before = (workspace.files(), workspace.warehouse.snapshot())
    outcome = attack()
    assert isinstance(outcome.failure, GateError)
    assert outcome.failure.exit_code == 1
    assert not outcome.summary["overall_passed"]
    assert {name for name, status in statuses(outcome).items() if status == "failed"} == {f"export-{name}" for name in stopped}
    assert (workspace.files(), workspace.warehouse.snapshot()) == before
    return outcome


def errors(outcome: Outcome) -> dict[str, str]:
    return {receipt["stage"]: "\n".join(receipt["validation"]["errors"]) for receipt in outcome.receipts}


def test_the_gates_alone_let_no_leak_out(tmp_path: Path) -> None:
    sql = without_checks(without_constraints(copied_sql(tmp_path / "sql")))
    workspace = filled(tmp_path / "work", sql)
    for name in (RAG, SFT):
        assert "LEAK" not in (workspace.settings.exports / name).read_text()
    pairs = workspace.exported("preference/chosen_rejected.jsonl")
    assert {(row["chosen_run_id"] == row["rejected_run_id"], "LEAK" in row["chosen"]) for row in pairs} == {(False, False)}
    assert len(pairs) == 5


def test_the_constraints_alone_stop_a_leak_in_the_gates(ready: Workspace, tmp_path: Path) -> None:
    sql = poisoned(without_checks(copied_sql(tmp_path / "sql")))
    outcome = stands(ready, lambda: ready.run(sql=sql))
    for name in EXPORTS:
        assert f"exports.{name}" in errors(outcome)[f"export-{name}"]
    assert set(statuses(ready.passed()).values()) == {"unchanged"}


def test_a_leak_without_texts_is_a_failed_gate_too(ready: Workspace, tmp_path: Path) -> None:
    """It has no id, so what stops it is that the tables require one."""
    ready.write("observer_reviews.jsonl", [review("t9", "reject", "LEAK", 25) | {"notes": None}])
    outcome = stands(ready, lambda: ready.run(sql=poisoned(without_checks(copied_sql(tmp_path / "sql")))))
    assert "rows for exports.rag lack a value" in errors(outcome)["export-rag"]


def test_the_re_read_alone_stops_a_leak_in_gates_and_constraints(tmp_path: Path) -> None:
    sql = without_constraints(copied_sql(tmp_path / "sql"))
    workspace = filled(tmp_path / "work", sql)
    without_checks(poisoned(sql), kept="_is_gated")
    outcome = stands(workspace, lambda: workspace.run(sql=sql))
    for name in EXPORTS:
        assert f"{name}_file_is_gated" in errors(outcome)[f"export-{name}"]
        # Whoever reads the newest version past the snapshots does not see the leak either.
        newest = DeltaTable(str(workspace.settings.warehouse / "exports" / name)).version()
        held = workspace.warehouse.arrow(f"exports.{name}", version=newest)
        assert held.sort_by("id") == workspace.warehouse.arrow(f"exports.{name}").sort_by("id")


def test_the_re_read_alone_stops_texts_that_judges_disagree_on(ready: Workspace, tmp_path: Path) -> None:
    """No condition on a table can see them: they hang on other rows."""
    sql = without_checks(without_constraints(copied_sql(tmp_path / "sql")), kept="_is_gated")
    for name in ("rag_gates", "sft_gates", "preference_gates"):
        conflict = "conflict" if name == "preference_gates" else "candidates.conflict"
        edit(sql / f"3_exports/{name}.sql", f"when {conflict} is not null then 'conflicting_verdict'", "")
    verdicts = [review("t1", verdict, "moot", 26, run_id=f"run-{verdict}", prompt="ask") for verdict in ("accept", "reject")]
    ready.write("observer_reviews.jsonl", [*verdicts, review("t1", "reject", "worse", 27, prompt="ask")])
    outcome = stands(ready, lambda: ready.run(sql=sql))
    for name in EXPORTS:
        assert f"{name}_file_is_gated" in errors(outcome)[f"export-{name}"]


def test_the_re_read_alone_stops_rows_that_cite_unknown_paths(ready: Workspace, tmp_path: Path) -> None:
    sql = without_checks(without_constraints(copied_sql(tmp_path / "sql")), kept="_cites_known_paths")
    for name in ("rag_gates", "sft_gates", "preference_gates"):
        path = "unknown_path" if name == "preference_gates" else "candidates.unknown_path"
        edit(sql / f"3_exports/{name}.sql", f"when {path} is not null then 'hallucinated_file_path'", "")
    known = tmp_path / "known.txt"
    known.write_text("there.py\n")
    cited = {"cited_paths": ["there.py", "nope.py"]}
    ready.write("observer_reviews.jsonl", [review("t5", "accept", "made up", 26, **cited), review("t5", "reject", "no", 27)])
    outcome = stands(ready, lambda: ready.run(sql=sql, gates=Gates(known_paths=known)))
    for name in EXPORTS:
        assert f"{name}_file_cites_known_paths" in errors(outcome)[f"export-{name}"]
        assert "nope.py" in errors(outcome)[f"export-{name}"]


# --- rows written past the pipeline -----------------------------------------------------------------------

FORBIDDEN = {
    "rejected in rag": ("rag", {"source_category": "rejected"}),
    "no category in rag": ("rag", {"source_category": "great"}),
    "blank content in rag": ("rag", {"content": "  "}),
    "invisible content in rag": ("rag", {"content": "\u00a0\n\u200b"}),
    "no provenance in rag": (
        "rag",
        {"provenance": {"source_file": "a", "line_offset": 1, "sig_hash": None, "recorded_at": None}},
    ),
    "needs human in sft": ("sft", {"quality_score": "needs_human_review"}),
    "rejected in sft": ("sft", {"quality_score": "rejected"}),
    "blank response in sft": ("sft", {"response": ""}),
    "invisible instruction in sft": ("sft", {"instruction": "\u2060\u3000"}),
    "own run in preference": ("preference", {"chosen_run_id": "same", "rejected_run_id": "same"}),
    "same text in preference": ("preference", {"chosen": "text", "rejected": " text "}),
    "unknown reason in preference": ("preference", {"reason": "because"}),
    "unknown reason in quarantine": ("quarantine", {"reason": "because"}),
    "unknown export in quarantine": ("quarantine", {"export": "dpo"}),
}


@pytest.mark.parametrize("leak", FORBIDDEN)
def test_delta_itself_refuses_a_forbidden_row(ready: Workspace, leak: str) -> None:
    table, flaw = FORBIDDEN[leak]
    rows = ready.warehouse.arrow(f"exports.{table}")
    sound = rows.slice(0, 1).to_pylist()[0]
    opened = DeltaTable(str(ready.settings.warehouse / "exports" / table))
    version = opened.version()
    with pytest.raises(DeltaError, match="check"):
        write_deltalake(opened, pa.Table.from_pylist([sound | flaw], schema=rows.schema), mode="append")
    assert DeltaTable(opened.table_uri).version() == version


# --- files drafted wrong ----------------------------------------------------------------------------------

Lines = list[dict[str, Any]]


def first(lines: Lines, **flaw: Any) -> list[str]:
    return [json.dumps(line | (flaw if number == 0 else {})) for number, line in enumerate(lines)]


def last_added(lines: Lines, **flaw: Any) -> list[str]:
    return [json.dumps(line | (flaw if "unsure" in line["content"] else {})) for line in lines]


TAMPERED: dict[str, Callable[[Lines], list[str]]] = {
    "a line more": lambda lines: [*first(lines), json.dumps(lines[-1] | {"id": "rag-ffffffffffffffff", "content": "LEAK"})],
    "a line twice": lambda lines: first([*lines, lines[-1]]),
    "a line less": lambda lines: first(lines[1:]),
    "another order": lambda lines: first(lines[::-1]),
    "another content": lambda lines: first(lines, content="LEAK"),
    "another content in a new line": lambda lines: last_added(lines, content="LEAK"),
    "another title": lambda lines: first(lines, title="LEAK"),
    "a member more": lambda lines: first(lines, leak="LEAK"),
    "a blank line": lambda lines: [*first(lines), ""],
    "broken JSON": lambda lines: [*first(lines), '{"id": "rag-'],
}


def tampered(harm: str, content: bytes) -> bytes:
    lines = TAMPERED[harm]([json.loads(line) for line in content.splitlines()])
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.mark.parametrize("harm", TAMPERED)
def test_the_re_read_finds_a_draft_that_is_not_its_table(ready: Workspace, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    """One record more than before is to be exported, so old lines and a new one stand in the draft."""
    harmful_write(monkeypatch, lambda block: tampered(harm, block))
    stands(ready, lambda: ready.run("export-rag", gates=Gates(include_review=True)), ("rag",))


@pytest.mark.parametrize("export", EXPORTS)
def test_the_check_of_lines_finds_one_without_text(export: str) -> None:
    """It reads a blank line as null, and does not trust that another finds it first."""
    with gate_engine() as (engine, library):
        check = library[f"checks/{export}_file_equals_table"].sql
        engine.define(f"files.{export}_expected", "select 'a' as line")
        engine.define(f"files.{export}_lines", "select 'a' as line")
        assert engine.rows(check) == []
        engine.define(f"files.{export}_lines", "select unnest(['a', null]) as line")
        assert [row["in_file"] for row in engine.rows(check)] == [1]


def test_the_draft_that_is_its_table_passes(ready: Workspace) -> None:
    ready.passed("export-rag", gates=Gates(include_review=True))
    assert len([row for row in ready.exported(RAG) if row["content"] == "LEAK unsure"]) == 1
