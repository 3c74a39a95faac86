"""The three corpora: their files, the models behind them, the switches of their gates, and how one is built."""

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline.errors import InputError
from pipeline.export import scope
from pipeline.export.mending import Change, mend_rows, mend_set
from pipeline.export.scope import Reach
from pipeline.models.compile import Compiled, plain_model
from pipeline.run import Run

TEXTS = "exports.texts"
KEYS = "exports.keys"
CONFLICTS = "exports.conflicts"
CANDIDATES = "exports.candidates"
UNKNOWN_PATHS = "run.unknown_paths"
DISPUTED = "run.disputed"
VOUCHED = "run.vouched"
# States of before these switches were made as if they said this.
EARLIER = {"pairs": "task", "max_pairs": 5}
OPTIONS = pa.schema(
    {
        "include_review": pa.bool_(),
        "include_partial": pa.bool_(),
        "known_paths_given": pa.bool_(),
        "cross_stream": pa.bool_(),
        "cross_stream_days": pa.int64(),
        "max_chars": pa.int64(),
        "pairs": pa.string(),
        "max_pairs": pa.int64(),
    }
)


@dataclass(frozen=True)
class Export:
    """One corpus.

    file:   its file below the exports folder
    others: tables that are made beside it, each by the model of that name: what was stopped, what was capped
    """

    name: str
    file: str
    others: tuple[str, ...]

    @property
    def table(self) -> str:
        return f"exports.{self.name}"


EXPORTS = (
    Export("rag", "rag/playbooks.jsonl", ("quarantine_rag",)),
    Export("sft", "sft/instruction_response.jsonl", ("quarantine_sft",)),
    Export("preference", "preference/chosen_rejected.jsonl", ("quarantine_preference", "capped")),
)


def models_of(run: Run, export: Export) -> dict[str, Compiled]:
    """Returns the models behind an export, those that others read first."""
    ordered: dict[str, Compiled] = {}

    def visit(stem: str) -> None:
        if stem in ordered or f"exports/{stem}" not in run.library:
            return
        compiled = plain_model(run.library, f"exports/{stem}")
        for table in sorted(compiled.inputs):
            if table.startswith("exports."):
                visit(table.removeprefix("exports."))
        ordered[stem] = compiled

    for stem in (export.name, *export.others):
        visit(stem)
    return ordered


def bind_switches(run: Run) -> str:
    """Binds what the gates read besides tables: switches and known paths. Returns a hash over them."""
    gates = run.settings.gates
    paths = _known_paths(gates.known_paths)
    run.engine.bind_arrow("run.known_paths", pa.table({"path": pa.array(sorted(paths), pa.string())}))
    options = {
        "include_review": gates.include_review,
        "include_partial": gates.include_partial,
        "known_paths_given": gates.known_paths is not None,
        "cross_stream": gates.cross_stream,
        "cross_stream_days": gates.cross_stream_days,
        "max_chars": gates.max_chars,
        "pairs": gates.pairs,
        "max_pairs": gates.max_pairs,
    }
    run.state["switches"] = options
    bind_options(run)
    text = "\n".join([*(f"{name}={value}" for name, value in options.items()), *sorted(paths)])
    return hashlib.sha256(text.encode()).hexdigest()


def bind_options(run: Run) -> None:
    """Binds the switches that the exports were made with last."""
    run.engine.bind_arrow("run.options", pa.Table.from_pylist([EARLIER | run.state.get("switches", {})], schema=OPTIONS))


def _known_paths(path: Path | None) -> set[str]:
    if path is None:
        return set()
    try:
        # Some editors begin a file with a mark of its encoding.
        return {_unquoted(line) for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the list of known paths can't be read: {error}") from error


def _unquoted(line: str) -> str:
    """A path as git prints it: one with unusual characters stands in quotes, with its bytes escaped."""
    line = line.removesuffix("\r")
    if len(line) < 2 or line[0] != '"' or line[-1] != '"':
        return line
    return codecs.escape_decode(line[1:-1].encode())[0].decode("utf-8", "replace")


@dataclass(frozen=True)
class Decided:
    """What an export decided again: how its table changed, what was reached, and what commits say of the models."""

    change: Change
    reach: Reach | None
    marks: dict[str, str]


def decide(run: Run, export: Export, models: dict[str, Compiled], made_of: str) -> Decided:
    """Runs the gates of one export and brings its table up to them; see `set_apart`.

    `made_of` is a hash over the SQL and the switches: where it is the one of last time, and the records only grew,
    only the records that a change can reach are decided again.
    """
    marks = run.metadata({model.name: f"{model.version}:{model.fingerprint}" for model in models.values()})
    grew = _update_texts(run, models[TEXTS.removeprefix("exports.")])
    find_conflicts(run)
    reach = scope.find(run, export.name, made_of) if grew else None
    for stem, model in models.items():
        name = f"exports.{stem}"
        if stem not in (export.name, *export.others) and name not in (TEXTS, KEYS, CONFLICTS):
            if name == CANDIDATES and reach is not None:
                _bind_candidates(run, model.sql, reach)
            else:
                _materialise(run, name, model.sql, shared=reach is None)
    change = mend_rows(run, export.table, models[export.name].sql, marks, reach)
    run.state.setdefault("exports", {})[export.name] = {"made_of": made_of, "scored.runs": run.store.version("scored.runs")}
    return Decided(change, reach, marks)


def set_apart(run: Run, export: Export, models: dict[str, Compiled], decided: Decided) -> None:
    """Brings the tables beside an export up to its gates."""
    for stem in export.others:
        mend_set(run, f"exports.{stem.split('_')[0]}", models[stem].sql, decided.marks, decided.reach, export.name)


def _bind_candidates(run: Run, sql: str, reach: Reach) -> None:
    """Binds `exports.candidates` to what is reached. Each row of it is about one record alone, so others may be among them."""
    scope.once(run, f"{reach.near}_candidates", sql)
    run.engine.define(CANDIDATES, f"select * from {reach.near}_candidates semi join run.reached using (source, sig_hash)")
    run.shared.discard(CANDIDATES)


def find_conflicts(run: Run) -> None:
    """Makes `exports.conflicts` the texts that judges disagree on: over all records, however few are decided again.

    And `exports.keys`, by which these and scopes are found.
    """
    _materialise(run, KEYS, run.library["exports/keys"].sql, shared=True)
    _materialise(run, CONFLICTS, run.library["exports/conflicts"].sql, shared=True)


def vouch(run: Run) -> None:
    """Makes `run.vouched` what is known of all records: every line of a whole file is held against it."""
    run.bind_now(TEXTS, "evidence.records", "scored.runs")
    find_conflicts(run)
    _materialise(run, DISPUTED, run.library["exports/_disputed"].sql, shared=True)
    run.engine.define(VOUCHED, run.library["exports/_vouched"].sql)


def find_unknown_paths(run: Run) -> None:
    """Makes `run.unknown_paths` what no line of a file may cite: none, as without a list, spares checks the reading of it."""
    _materialise(run, UNKNOWN_PATHS, run.library["exports/_unknown_paths"].sql, shared=True)


def _materialise(run: Run, name: str, sql: str, *, shared: bool) -> None:
    """Runs an intermediate model; over all records it runs once for the exports that share it."""
    if shared and name in run.shared:
        return
    run.engine.materialise(name, sql)
    (run.shared.add if shared else run.shared.discard)(name)


def _update_texts(run: Run, model: Compiled) -> bool:
    """Brings exports.texts up to the records. Returns whether they only grew, or did not change at all."""
    before = run.state.get("texts", {})
    now = run.store.read("evidence.records")
    known = before.get("fingerprint") == model.fingerprint
    then = run.store.read("evidence.records", before["evidence.records"]) if known else None
    grew = then is not None and not set(then.files) - set(now.files)
    files = tuple(sorted(set(now.files) - set(then.files))) if then is not None and grew else now.files
    if files or not grew:
        run.bind("evidence.records", now, files=files)
        run.write(TEXTS, model.sql, run.metadata({model.name: f"{model.version}:{model.fingerprint}"}), replace=not grew)
    run.state["texts"] = {"fingerprint": model.fingerprint, "evidence.records": now.version}
    run.bind_now(TEXTS, "evidence.records", "scored.runs")
    # Once the records were replaced, what the other exports were made of is no longer there to compare with.
    if not grew:
        run.state.pop("exports", None)
    return grew
