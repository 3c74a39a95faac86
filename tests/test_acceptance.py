"""22/22 on what we ship; and for each invariant a product that breaks it alone, and a check that sees just that.

Only the runs that a fault reaches are made anew; all else is what the sound product left.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from pipeline import landing, models, receipts, runner
from pipeline.acceptance import Verdict, facts, fixture, judge, report
from pipeline.acceptance.bench import NOTES, Bench, Facts
from pipeline.acceptance.fixture import Fixture
from pipeline.cli import main as distill
from pipeline.errors import GateError, InputError
from pipeline.run import Run
from pipeline.settings import builtin_sql
from tests.rows import edit

FIXTURE = fixture.load()
LIBRARY = models.load([builtin_sql()])
NAMES = [model.stem.split("_", 1)[1] for model in LIBRARY.room("acceptance")]
Edits = Mapping[str, tuple[str, str]]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    """What the sound product leaves, and where."""
    bench = Bench(tmp_path_factory.mktemp("sound"), FIXTURE)
    return bench.root, facts.gather(bench)


class Broken:
    """Runs a broken product where the fault shows, and says which invariants no longer hold."""

    def __init__(self, root: Path, sound: tuple[Path, Facts], patch: pytest.MonkeyPatch) -> None:
        self.root, self.patch = root, patch
        self.sound_root, self.facts = sound[0], dict(sound[1])

    def edited(self, edits: Edits) -> Path:
        """Returns a folder of models in which some of ours say something else."""
        for name, (old, new) in edits.items():
            path = self.root / "sql" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(builtin_sql() / name, path)
            edit(path, old, new)
        return self.root / "sql"

    def run(self, *parts: Callable[[Bench], Facts], sql: Edits | None = None, after: str = "") -> list[Verdict]:
        """Makes some runs anew and judges; `after` names a sound warehouse that they go on from."""
        if after:
            shutil.copytree(self.sound_root / after, self.root / after)
        bench = Bench(self.root, FIXTURE, self.edited(sql) if sql else None)
        for part in parts:
            self.facts |= part(bench)
        for name, new in bench.notes().items():
            self.note(name, new.to_pylist())
        return self.judged()

    def for_good(self, sql: Edits) -> list[Verdict]:
        """Makes the main run anew; a fault that is no accident would be the same in all runs that are held against it."""
        self.run(facts.main, sql=sql, after="main")
        self.facts["fresh.runs"] = self.facts["scored.runs"]
        for name in ("facts.files", "facts.versions"):
            now = [row for row in self.facts[name].to_pylist() if row["name"] == "main"]
            for other in ("again", "fresh", "leak"):
                self.note(name, [row | {"name": other} for row in now])
        return self.judged()

    def note(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Puts what was noted of some runs in the place of what was noted of them before."""
        fresh = {row["name"] for row in rows}
        kept = [row for row in self.facts[name].to_pylist() if row["name"] not in fresh]
        self.facts[name] = pa.Table.from_pylist(kept + rows, schema=pa.schema(list(NOTES[name].items())))

    def with_rows(self, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> list[Verdict]:
        """Judges with other rows in one of the facts."""
        table = self.facts[name]
        self.facts[name] = pa.Table.from_pylist([change(row) for row in table.to_pylist()], schema=table.schema)
        return self.judged()

    def judged(self) -> list[Verdict]:
        return judge(self.facts, LIBRARY)


@pytest.fixture
def broken(tmp_path: Path, sound: tuple[Path, Facts], monkeypatch: pytest.MonkeyPatch) -> Broken:
    return Broken(tmp_path, sound, monkeypatch)


def failed(verdicts: list[Verdict]) -> set[str]:
    return {verdict.name for verdict in verdicts if not verdict.passed}


# --- one fault for each invariant ---------------------------------------------------------------------------


def loses_a_line(broken: Broken) -> list[Verdict]:
    """A repeated line: nothing after landing misses it."""
    broken.patch.setattr(landing, "read_chunk", landing_without("distilled_facts/2026-03.jsonl", 0))
    return broken.run(facts.main)


def landing_without(name: str, offset: int) -> Callable[[landing.Chunk], Any]:
    real = landing.read_chunk

    def read_chunk(chunk: landing.Chunk) -> tuple[landing.Chunk, pa.RecordBatch]:
        chunk, batch = real(chunk)
        rows = [row for row in batch.to_pylist() if (row["source_file"], row["line_offset"]) != (name, offset)]
        return chunk, pa.RecordBatch.from_pylist(rows, schema=batch.schema)

    return read_chunk


def skips_for_another_reason(broken: Broken) -> list[Verdict]:
    lists = "case when status = 'not_an_object' then 'invalid_json' else status end as reason"
    return broken.run(facts.main, sql={"1_evidence/_skips.sql": ("status as reason", lists)})


def takes_no_time_for_a_bad_one(broken: Broken) -> list[Verdict]:
    return broken.run(facts.main, sql={"1_evidence/_records.sql": ("'missing_timestamp'", "'invalid_timestamp'")})


def needs_every_stream(broken: Broken) -> list[Verdict]:
    real = landing.discover

    def discover(data: Path) -> Any:
        found = real(data)
        if len(found) < len(FIXTURE.files):
            raise InputError(f"{data}: a stream is missing")
        return found

    broken.patch.setattr(landing, "discover", discover)
    return broken.run(facts.without)


def forgets_the_line(broken: Broken) -> list[Verdict]:
    gone = ("line_offset,", "cast(null as bigint) as line_offset,")
    return broken.for_good({"3_exports/quarantine_rag.sql": gone})


def hashes_something_else(broken: Broken) -> list[Verdict]:
    real = landing.read_chunk

    def read_chunk(chunk: landing.Chunk) -> tuple[landing.Chunk, pa.RecordBatch]:
        chunk, batch = real(chunk)
        rows = [row | {"line_sha256": row["line_sha256"][::-1]} for row in batch.to_pylist()]
        return chunk, pa.RecordBatch.from_pylist(rows, schema=batch.schema)

    broken.patch.setattr(landing, "read_chunk", read_chunk)
    return broken.run(facts.main)


def sees_news_where_there_are_none(broken: Broken) -> list[Verdict]:
    broken.patch.setattr(landing, "ledger_hash", lambda store, engine: os.urandom(32).hex())
    return broken.run(facts.again, after="main")


def looks_at_the_clock(broken: Broken) -> list[Verdict]:
    broken.patch.setattr(runner, "Run", lambda **held: Run(**held | {"recorded_at": held["started_at"]}))
    return broken.run(facts.fresh)


def scores_no_timeouts(broken: Broken) -> list[Verdict]:
    some = ("from scored.judged", "from scored.judged\nwhere coalesce(run_id, '') <> 'run-x04'")
    blind = ("records.amount <> runs.amount\n    or records.keys <> runs.keys", "false")
    return broken.for_good({"2_scored/_runs.sql": some, "checks/one_score_per_record.sql": blind})


def asks_nobody(broken: Broken) -> list[Verdict]:
    kind = "case score.category when 'needs_human_review' then 'accepted' else score.category end as category"
    return broken.for_good({"2_scored/_runs.sql": ("score.category as category", kind)})


def asks_too_often(broken: Broken) -> list[Verdict]:
    asks = "score('needs_human_review', ['no_verdict'])"
    return broken.for_good({"2_scored/auto_apply.sql": ("score('rejected', [verdict])", asks)})


def rolls_dice(broken: Broken) -> list[Verdict]:
    dice = "list_transform(score.reasons, lambda reason: reason || random()) as reasons"
    return broken.run(facts.fresh, sql={"2_scored/_runs.sql": ("score.reasons as reasons", dice)}, after="fresh")


def trains_on_half_good_work(broken: Broken) -> list[Verdict]:
    always = ("and not options.include_partial", "and false")
    return broken.for_good({"3_exports/sft_gates.sql": always, "checks/sft_file_is_gated.sql": always})


def never_opens_the_gate(broken: Broken) -> list[Verdict]:
    never = ("and not options.include_partial", "")
    return broken.run(facts.partial, sql={"3_exports/sft_gates.sql": never}, after="fresh")


def reviews_let_all_in(broken: Broken) -> list[Verdict]:
    """All three layers of the firewall give way when a switch is set."""
    opened = "and not options.include_review"
    return broken.run(
        facts.fresh,
        facts.review,
        sql={
            "3_exports/rag_gates.sql": ("category = 'rejected'", f"category = 'rejected' {opened}"),
            "tables/exports.rag.sql": ("'needs_human_review'", "'needs_human_review', 'rejected'"),
            "checks/rag_file_is_gated.sql": ("runs.category = 'rejected'", f"(runs.category = 'rejected' {opened})"),
        },
    )


def pairs_a_run_with_itself(broken: Broken) -> list[Verdict]:
    pairs = iter(range(1000))
    return broken.with_rows(
        "files.preference", lambda row: row | ({"rejected_run_id": row["chosen_run_id"]} if next(pairs) == 0 else {})
    )


def pairs_a_text_with_itself(broken: Broken) -> list[Verdict]:
    pairs = iter(range(1000))
    return broken.with_rows(
        "files.preference", lambda row: row | ({"rejected": f" {row['chosen']}\n"} if next(pairs) == 0 else {})
    )


def exports_a_sixth_pair(broken: Broken) -> list[Verdict]:
    return broken.for_good({"3_exports/preference_pairs.sql": (") > 5", ") > 6")})


def drops_what_is_stopped_twice(broken: Broken) -> list[Verdict]:
    some = ("reason is not null", "reason <> 'duplicate_id'")
    blind = ("sum(scored) <> sum(settled)", "false")
    return broken.for_good({"3_exports/quarantine_rag.sql": some, "checks/rag_conservation.sql": blind})


def mixes_up_two_reasons(broken: Broken) -> list[Verdict]:
    mixed = ("then 'missing_provenance'", "then 'missing_source_run_id'")
    return broken.run(facts.lossy, sql={"3_exports/candidates.sql": mixed})


def forgets_a_receipt(broken: Broken) -> list[Verdict]:
    real = receipts.write_report

    def write_report(folder: Path, name: str, document: Mapping[str, Any]) -> None:
        if name != "score.json":
            real(folder, name, document)

    broken.patch.setattr(receipts, "write_report", write_report)
    return broken.run(facts.main, after="main")


def publishes_in_spite_of_a_failure(broken: Broken) -> list[Verdict]:
    real = runner._execute
    broken.patch.setattr(runner, "_execute", lambda run, wanted: (real(run, wanted)[0], None))
    return broken.run(facts.leak, after="main")


FAULTS: dict[str, Callable[[Broken], list[Verdict]]] = {
    "landing_conservation": loses_a_line,
    "broken_lines_skipped": skips_for_another_reason,
    "schema_gate": takes_no_time_for_a_bad_one,
    "missing_stream_tolerated": needs_every_stream,
    "provenance_complete": forgets_the_line,
    "provenance_round_trip": hashes_something_else,
    "idempotent": sees_news_where_there_are_none,
    "bit_stable": looks_at_the_clock,
    "one_score_per_record": scores_no_timeouts,
    "category_domain": asks_nobody,
    "verdicts_decided": asks_too_often,
    "scorer_deterministic": rolls_dice,
    "sft_strict": trains_on_half_good_work,
    "sft_partial_opt_in": never_opens_the_gate,
    "rag_never_rejected": reviews_let_all_in,
    "preference_no_self_pairs": pairs_a_run_with_itself,
    "preference_no_identical_text": pairs_a_text_with_itself,
    "preference_same_task_capped": exports_a_sixth_pair,
    "quarantine_conservation": drops_what_is_stopped_twice,
    "quarantine_taxonomy": mixes_up_two_reasons,
    "receipts_complete": forgets_a_receipt,
    "failure_propagates": publishes_in_spite_of_a_failure,
}


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
    categories = {"accepted", "partially_accepted", "rejected", "needs_human_review"}
    skips = {"invalid_utf8", "invalid_json", "not_an_object", "missing_timestamp", "invalid_timestamp", "schema_violation"}
    assert words == categories | skips | {"duplicate", "blank", "partial_tail", "unmapped"}
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
