"""22/22 on what we ship; and for each invariant a product that breaks it alone, and a check that sees just that."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.acceptance import Verdict, facts, fixture, judge, report
from pipeline.acceptance.bench import Bench, Facts
from pipeline.acceptance.fixture import Fixture
from pipeline.cli import main as distill
from pipeline.errors import GateError
from tests.support.broken_product import FAULTS, FIXTURE, LIBRARY, Broken, pairs_a_text_with_itself

NAMES = [model.stem.split("_", 1)[1] for model in LIBRARY.room("acceptance")]
CATEGORIES = {"accepted", "partially_accepted", "rejected", "needs_human_review"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    """What the sound product leaves, and where."""
    bench = Bench(tmp_path_factory.mktemp("sound"), FIXTURE)
    return bench.root, facts.gather(bench)


@pytest.fixture
def broken(tmp_path: Path, sound: tuple[Path, Facts], monkeypatch: pytest.MonkeyPatch) -> Broken:
    return Broken(tmp_path, sound, monkeypatch)


def failed(verdicts: list[Verdict]) -> set[str]:
    return {verdict.name for verdict in verdicts if not verdict.passed}


def test_every_invariant_has_its_fault() -> None:
    assert list(FAULTS) == NAMES and len(NAMES) == 22


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_breaks_its_invariant_and_no_other(broken: Broken, name: str) -> None:
    verdicts = FAULTS[name](broken)
    assert failed(verdicts) == {name}, "\n".join(report(verdicts))


# --- the rest ---------------------------------------------------------------------------------------------


def test_the_sound_product_passes(sound: tuple[Path, Facts]) -> None:
    lines = list(report(judge(sound[1], LIBRARY)))
    assert [line[:7] for line in lines[:-1]] == [f"ok   {number:>2}" for number in range(1, 23)]
    assert lines[-1] == "22/22"


def test_every_line_of_the_fixture_gets_the_score_that_stands_beside_it(sound: tuple[Path, Facts]) -> None:
    """Also one that waits for a human, which no invariant holds."""
    found = {(row["source_file"], row["line_offset"]): row["category"] for row in sound[1]["scored.runs"].to_pylist()}
    lines = {(row["source_file"], row["line_offset"]): row["expected"] for row in sound[1]["fixture.lines"].to_pylist()}
    assert found == {place: word for place, word in lines.items() if word in CATEGORIES}


def test_a_failure_shows_the_first_rows_in_one_line(broken: Broken) -> None:
    *lines, last = report(pairs_a_text_with_itself(broken))
    assert last == "21/22"
    assert lines[16].startswith("FAIL 17 preference_no_identical_text [{") and "\n" not in lines[16]


@pytest.mark.parametrize(("old", "new"), [(b'"ROPE-1"', b'"ROPE-9"'), (b', "phase": 2', b',  "phase": 2')])
def test_a_changed_source_file_is_found_by_its_hashes(broken: Broken, old: bytes, new: bytes) -> None:
    """Also where only white space changed: then the row says the same, but the line does not."""
    changed = FIXTURE.files | {"audits.jsonl": FIXTURE.files["audits.jsonl"].replace(old, new, 1)}
    broken.facts["fixture.lines"] = Fixture(changed, FIXTURE.expected).lines()
    assert failed(broken.judged()) == {"provenance_round_trip"}


def test_a_sig_hash_in_another_form_is_found(broken: Broken) -> None:
    verdicts = broken.with_rows("fixture.lines", lambda row: row | {"sig_hash": row["sig_hash"] and row["sig_hash"].upper()})
    assert failed(verdicts) == {"provenance_round_trip"}


def test_the_fixture_has_all_that_it_should() -> None:
    streams = {model.stem for model in LIBRARY.room("evidence")}
    assert streams < {fixture.stream_of(name) for name in FIXTURE.files}
    words = {word for said in FIXTURE.expected.values() for word in said}
    skips = {"invalid_utf8", "invalid_json", "not_an_object", "missing_timestamp", "invalid_timestamp", "schema_violation"}
    assert words == CATEGORIES | skips | {"duplicate", "blank", "partial_tail", "unmapped"}
    raw = b"".join(FIXTURE.files.values())
    assert all(dirt in raw for dirt in (b"\r\n", b"NaN", b"\xff", b"\\u0000", b"\\ud83d", b"1e400", b"[" * 600))


def test_a_run_that_fails_says_so(broken: Broken) -> None:
    with pytest.raises(GateError, match="the run 'main' of the fixture failed"):
        broken.run(facts.main, sql={"checks/category_domain.sql": ("where", "where true or")})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Verdict]]:
    """What `examine` answers the command."""
    verdicts = [Verdict(1, "first", "It holds.", ()), Verdict(2, "second", "So does this.", ())]
    monkeypatch.setattr("pipeline.acceptance.examine", lambda sql: verdicts)
    return iter([verdicts])


def test_the_command_prints_lines_or_json(told: Iterator[list[Verdict]]) -> None:
    (verdicts,) = told
    done = CliRunner().invoke(distill, ["acceptance"])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "2/2")
    verdicts[1] = Verdict(2, "second", "So does this.", ({"line": 7},))
    done = CliRunner().invoke(distill, ["acceptance"])
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, "1/2")
    done = CliRunner().invoke(distill, ["acceptance", "--json"])
    document = json.loads(done.output)
    assert (done.exit_code, document["passed"]) == (1, False)
    assert document["invariants"][1] == {"number": 2, "name": "second", "passed": False, "detail": '[{"line": 7}]'}


def test_the_command_takes_models_of_a_team(tmp_path: Path) -> None:
    """A stream of their own has no line in the fixture, and changes nothing there."""
    for room, text in {
        "1_evidence": "select\n    field.at as time_field,\n    text(field.said) as content\nfrom evidence.objects\n",
        "2_scored": "select score('accepted', ['said']) as score\nfrom evidence.records as records\n",
    }.items():
        (tmp_path / room).mkdir()
        head = "-- What was said at sea.\n-- grain: one row per line\n-- version: 1\n\n"
        (tmp_path / room / "sea_logs.sql").write_text(f"{head}{text}where source = 'sea_logs'\n")
    done = CliRunner().invoke(distill, ["acceptance", "--sql", str(tmp_path)])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "22/22"), done.output
