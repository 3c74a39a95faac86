"""A model that is wrong stops the run with a word that names the file; no traceback, and nothing is published."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import DistillError, ModelError
from tests.conftest import Workspace
from tests.support.rows import copied_sql, edit, review

STREAM, SCORER, GATES = "1_evidence/observer_reviews.sql", "2_scored/observer_reviews.sql", "3_exports/sft_gates.sql"
TABLE, CHECK = "tables/exports.sft.sql", "checks/category_domain.sql"
NEW_STREAM = """-- A new stream.
-- grain: one row per object line of the stream
-- version: 1
select field.ts as time_field from evidence.objects where source = 'tickets'
"""
UNION = """-- Two selects in one.
-- grain: one row per record
-- version: 1
select score('accepted', ['a']) as score from evidence.records as records where source = 'observer_reviews'
union all
select score('accepted', ['b']) as score from evidence.records as records where source = 'tickets'
"""

# What is done to which file, and what the message must say beside the file's name.
MISTAKES = {
    "unknown column": (STREAM, "as verdict", "as judgement", "judgement"),
    "another stream": (STREAM, "source = 'observer_reviews'", "source = 'audits'", "observer_reviews"),
    "another table": (STREAM, "from evidence.objects", "from evidence.lines", "evidence.objects"),
    "not SQL": (STREAM, "from evidence.objects", "form evidence.objects", "SQL"),
    "open text": (SCORER, "'observer_reviews'", "'observer_reviews", "SQL"),
    "unknown function": (STREAM, "word(field.verdict)", "wurd(field.verdict)", "wurd"),
    "unknown table": (SCORER, "from evidence.records as records", "from evidence.recrods as records", "evidence.records"),
    "unknown name": (GATES, "candidates.content_is_blank", "candidates.content_is_blunk", "content_is_blunk"),
    "no version": (SCORER, "-- version: 1\n", "", "version"),
    "check not SQL": (CHECK, "from scored.runs", "form scored.runs '", ""),
    "table not SQL": (TABLE, "create table", "create tabel", ""),
}


@pytest.fixture(scope="module")
def unfilled(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A warehouse that no run has ever filled, and never will: one is enough for all mistakes."""
    return Workspace(tmp_path_factory.mktemp("unfilled"))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_file(unfilled: Workspace, tmp_path: Path, mistake: str) -> None:
    file, old, new, said = MISTAKES[mistake]
    sql = copied_sql(tmp_path / "sql")
    edit(sql / file, old, new, raised=False)
    message = _failure(unfilled, sql)
    assert Path(file).stem in message and message.count(str(sql / file)) <= 1
    assert said in message


def test_a_stream_needs_exactly_one_scorer(unfilled: Workspace, tmp_path: Path) -> None:
    sql = tmp_path / "own"
    for room in ("1_evidence", "2_scored"):
        (sql / room).mkdir(parents=True)
    (sql / "1_evidence/tickets.sql").write_text(NEW_STREAM)
    assert "2_scored/tickets.sql" in _failure(unfilled, sql)
    (sql / "2_scored/tickets.sql").write_text(UNION)
    assert "2_scored/tickets.sql: must be one plain select" in _failure(unfilled, sql)
    scorer = UNION.partition("union all")[0]
    (sql / "2_scored/tickets.sql").write_text(scorer)
    message = _failure(unfilled, sql)
    assert "observer_reviews" in message and "one" in message


def test_a_model_where_nothing_reads_it(unfilled: Workspace, tmp_path: Path) -> None:
    for place in ("1_evidenc/audits.sql", "audits.sql", "1_evidence/deep/audits.sql", "queries/mine.sql"):
        path = tmp_path / place.replace("/", " ") / place
        path.parent.mkdir(parents=True)
        path.write_text("-- A model.\n-- version: 1\nselect 1 as one\n")
        message = _failure(unfilled, tmp_path / place.replace("/", " "))
        assert str(path) in message and "1_evidence" in message


def test_two_models_that_judge_one_stream(unfilled: Workspace, tmp_path: Path) -> None:
    sql = copied_sql(tmp_path / "sql")
    shutil.copy(sql / "2_scored/audits.sql", sql / "2_scored/again.sql")
    message = _failure(unfilled, sql)
    assert all(f"2_scored/{name}.sql" in message for name in ("audits", "again"))


def test_a_wrong_model_ends_the_command_with_3_and_leaves_what_was_published(workspace: Workspace, tmp_path: Path) -> None:
    workspace.write("observer_reviews.jsonl", [review("t1", "accept", "good")])
    workspace.passed()
    before, versions = workspace.files(), workspace.versions()
    sql = copied_sql(tmp_path / "sql")
    edit(sql / GATES, "candidates.content_is_blank", "candidates.content_is_blunk")
    done = workspace.command("run-all", "--sql", str(sql))
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    assert "sft_gates" in done.stderr
    assert (workspace.files(), workspace.versions()) == (before, versions)
    assert "nowhere" in _failure(workspace, tmp_path / "nowhere")


def _failure(workspace: Workspace, sql: Path) -> str:
    try:
        failure: DistillError | None = workspace.run(sql=sql).failure
    except DistillError as error:
        failure = error
    assert isinstance(failure, ModelError)
    return str(failure)
