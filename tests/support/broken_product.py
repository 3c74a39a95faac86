"""A product that is broken in one place, for each invariant of acceptance.

Only the runs that a fault reaches are made anew; all else is what the sound product left.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline import models, runner, session
from pipeline.acceptance import Verdict, facts, fixture, judge
from pipeline.acceptance.bench import NOTES, Bench, Facts
from pipeline.collect import landing
from pipeline.errors import InputError
from pipeline.reports import receipts
from pipeline.run import Run
from pipeline.settings import builtin_sql
from pipeline.store import ledger
from tests.support.rows import edited_copy

FIXTURE = fixture.load()
LIBRARY = models.load([builtin_sql()])
Edits = Mapping[str, tuple[str, str]]


class Broken:
    """Runs a broken product where the fault shows, and says which invariants no longer hold."""

    def __init__(self, root: Path, sound: tuple[Path, Facts], patch: pytest.MonkeyPatch) -> None:
        self.root, self.patch = root, patch
        self.sound_root, self.facts = sound[0], dict(sound[1])

    def edited(self, edits: Edits) -> Path:
        """Returns a folder of models in which some of ours say something else."""
        for name, (old, new) in edits.items():
            edited_copy(self.root / "sql", name, old, new)
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
        if len(found.files) < len(FIXTURE.files):
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
    broken.patch.setattr(ledger, "ledger_hash", lambda store, engine: os.urandom(32).hex())
    return broken.run(facts.again, after="main")


def looks_at_the_clock(broken: Broken) -> list[Verdict]:
    broken.patch.setattr(session, "Run", lambda **held: Run(**held | {"recorded_at": held["started_at"]}))
    return broken.run(facts.fresh)


def scores_no_timeouts(broken: Broken) -> list[Verdict]:
    some = ("from scored.judged", "from scored.judged\nwhere coalesce(run_id, '') <> 'run-x04'")
    blind = ("records.amount <> runs.amount\n    or records.keys <> runs.keys", "false")
    return broken.for_good({"2_scored/_runs.sql": some, "checks/one_score_per_record.sql": blind})


def asks_nobody(broken: Broken) -> list[Verdict]:
    kind = "case verdict.category when 'needs_human_review' then 'accepted' else verdict.category end as category"
    return broken.for_good({"2_scored/_runs.sql": ("verdict.category as category", kind)})


def asks_too_often(broken: Broken) -> list[Verdict]:
    asks = "score('needs_human_review', ['no_verdict'])"
    return broken.for_good({"2_scored/auto_apply.sql": ("score('rejected', [records.verdict])", asks)})


def rolls_dice(broken: Broken) -> list[Verdict]:
    # Of what no corpus shows, or files would differ too.
    dice = "case verdict.category when 'rejected' then cast(random() as varchar) else '' end"
    rolled = f"list_transform(verdict.reasons, lambda reason: reason || {dice}) as reasons"
    return broken.run(facts.fresh, sql={"2_scored/_runs.sql": ("verdict.reasons as reasons", rolled)}, after="fresh")


def trains_on_half_good_work(broken: Broken) -> list[Verdict]:
    always = ("and not options.include_partial", "and false")
    again = ("or (judged.category = 'partially_accepted' and not options.include_partial)", "")
    sql = {"checks/sft_file_is_gated.sql": always, "checks/sft_lines_are_judged_again.sql": again}
    return broken.for_good({"3_exports/sft_gates.sql": always} | sql)


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
            "checks/rag_file_is_gated.sql": ("vouched.category = 'rejected'", f"(vouched.category = 'rejected' {opened})"),
            "checks/rag_lines_are_judged_again.sql": (
                "judged.category = 'rejected'",
                f"(judged.category = 'rejected' {opened})",
            ),
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
    more = ("then options.max_pairs", "then options.max_pairs + 1")
    blind = ("amount > most", "false")
    return broken.for_good({"3_exports/preference_pairs.sql": more, "checks/preference_file_is_capped.sql": blind})


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
    real = runner.take_turns
    broken.patch.setattr(runner, "take_turns", lambda run, wanted: (real(run, wanted)[0], None))
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
