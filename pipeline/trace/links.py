"""The links of a chain: score, record, raw line and source line, each held against the one before it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.trace import hashes
from pipeline.trace.physical import Physical, Place, file_and_line, read_again
from pipeline.trace.state import Row, State, place_of
from pipeline.trace.steps import MISSING, Check, Step, checked, utc


@dataclass(frozen=True)
class Links:
    """Everything that stands at some places, in one state of the warehouse and in the source files."""

    state: State
    records: dict[Place, list[Row]]
    scores: dict[Place, list[Row]]
    lines: dict[Place, list[Row]]
    physical: dict[Place, Physical]
    generations: Mapping[str, int]

    @staticmethod
    def gather(state: State, data: Path, places: Iterable[Mapping[str, Any]], generations: Mapping[str, int]) -> "Links":
        """Reads it. `generations` are the newest of each file that are known by now."""
        kept = list(places)
        state.stand_at(kept)
        records, scores, lines = (state.ask_by_place(name) for name in ("records", "scores", "lines"))
        return Links(state, records, scores, lines, read_again(data, map(place_of, kept)), generations)

    def score(self, place: Place, sig_hash: str | None) -> Step:
        """Returns what the record is worth, held against the record."""
        name = self.state.at("scored.runs")
        found, record = _first(self.scores, place), _first(self.records, place) or {}
        if found is None:
            return Step("score", name, MISSING, f"no score of {file_and_line(place)}")
        checks = [Check.of("sig_hash", sig_hash, found["sig_hash"])]
        checks += [Check.of(column, record.get(column), found[column]) for column in ("run_id", "task_id", "occurred_at")]
        facts = {"category": found["category"], "reasons": found["reasons"], "scorer_version": found["scorer_version"]}
        says = f"{found['category']}: {', '.join(found['reasons'])}; by scorer {found['scorer_version']}"
        return checked("score", name, says, checks, facts)

    def record(self, place: Place, side: Mapping[str, Any]) -> Step:
        """Returns the evidence, held against the texts of the exported row, where there is one, and against the line."""
        name = self.state.at("evidence.records")
        found, line = _first(self.records, place), self.raw(place, side["sig_hash"]) or {}
        if found is None:
            return Step("record", name, MISSING, f"no record of {file_and_line(place)}")
        checks = [Check.of("sig_hash", side["sig_hash"], found["sig_hash"])]
        checks += [
            Check.of(f"{column}_sha256", hashes.text_sha256(side[column]), hashes.text_sha256(found[column]))
            for column in ("instruction", "content")
            if side.get(column) is not None
        ]
        checks.append(Check.of("recorded_at", line.get("recorded_at"), found["recorded_at"]))
        facts = {column: found[column] for column in ("source", "run_id", "task_id", "title", "sig_hash")}
        facts["occurred_at"] = utc(found["occurred_at"])
        says = f"{found['source']}, run {found['run_id'] or 'unknown'}, task {found['task_id']}, {utc(found['occurred_at'])}"
        return checked("record", name, says, checks, facts)

    def line(self, place: Place, sig_hash: str | None, line: Row | None = None) -> Step:
        """Returns the raw line, by default of the generation that counts; its hashes are worked out again."""
        name = self.state.at("raw.lines")
        line = line or self.raw(place, sig_hash)
        if line is None:
            return Step("raw line", name, MISSING, f"{file_and_line(place)} is not landed")
        raw = bytes_of(line)
        if line["status"] == "too_long":
            # The line is not here: only what is kept of it can be hashed, and `source` hashes all of it.
            checks = [Check.of("sha256 of the kept bytes", (line["detail"] or "")[-64:], hashes.line_sha256(raw))]
        else:
            checks = [Check.of("line_sha256", line["line_sha256"], hashes.line_sha256(raw))]
        if sig_hash is not None or line["sig_hash"] is not None:
            checks.append(Check.of("sig_hash", line["sig_hash"], hashes.sig_hash(raw, place[1])))
        if sig_hash is not None:
            checks.append(Check.of("sig_hash of the record", sig_hash, line["sig_hash"]))
        facts = {column: line[column] for column in ("source_file", "line_offset", "generation", "status", "load_id", "line")}
        facts |= {"line_sha256": line["line_sha256"], "sig_hash": line["sig_hash"], "recorded_at": utc(line["recorded_at"])}
        held = " and ".join(check.name for check in checks if not check.name.endswith("record"))
        says = f"{file_and_line(place)}, generation {line['generation']}, landed by {line['load_id']}; {held} found again"
        return checked("raw line", name, says, checks, facts)

    def source(self, place: Place, sig_hash: str | None) -> Step:
        """Returns the line as it stands in its file now, with the same hashes worked out from its bytes."""
        physical, line = self.physical[place], self.raw(place, sig_hash) or {}
        where = file_and_line((str(physical.path), place[1]))
        facts = {"path": str(physical.path), "line": place[1] + 1}
        if physical.sha256 is None:
            return Step("source", where, MISSING, physical.problem, (), facts)
        checks = [Check.of("line_sha256", line.get("line_sha256"), physical.sha256)]
        if sig_hash is not None and physical.line is not None:
            checks.append(Check.of("sig_hash", sig_hash, hashes.sig_hash(physical.line, place[1])))
        held = " and ".join(check.name for check in checks)
        return checked("source", where, f"{held} found again", checks, facts, f"; {self._why(place[0], line)}")

    def current(self, place: Place) -> Row | None:
        """Returns the raw line of the generation that counts."""
        return next((line for line in self.lines.get(place, ()) if line["is_current"]), None)

    def raw(self, place: Place, sig_hash: str | None) -> Row | None:
        """Returns the raw line behind a record: of the generation that counts, or of the newest one with this hash.

        Between the landing of a rewritten file and the next evidence, records are still those of the generation before.
        """
        newest_first = sorted(
            self.lines.get(place, ()), key=lambda line: (line["is_current"], line["generation"]), reverse=True
        )
        fitting = [line for line in newest_first if line["sig_hash"] == sig_hash]
        return next(iter(fitting or newest_first), None)

    def _why(self, name: str, line: Mapping[str, Any]) -> str:
        newest = self.generations.get(name, 0)
        if line and newest > line["generation"]:
            return f"the file was rewritten since: this is its generation {line['generation']}, and {newest} is landed"
        return "the file, or what was landed from it, was changed since"


def bytes_of(line: Mapping[str, Any]) -> bytes:
    """Returns the exact bytes of a landed line."""
    raw: bytes | None = line["line_bytes"]
    return raw if raw is not None else (line["line"] or "").encode()


def _first(found: Mapping[Place, list[Row]], place: Place) -> Row | None:
    return next(iter(found.get(place, ())), None)
