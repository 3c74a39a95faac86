"""scored.runs to the tables of the three corpora, through the gates; only rows that differ from before are written."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline.compile import Compiled, plain_model
from pipeline.engine import quoted
from pipeline.errors import InputError
from pipeline.run import Run

TEXTS = "exports.texts"
QUARANTINE = "exports.quarantine"
# Beyond this share of changed rows a table and its file are written anew rather than mended.
MENDABLE = 0.2
MAX_REMOVED = 5000


@dataclass(frozen=True)
class Export:
    """One corpus: its name, its file below the exports folder."""

    name: str
    file: str

    @property
    def table(self) -> str:
        return f"exports.{self.name}"

    @property
    def rejects(self) -> str:
        return f"quarantine_{self.name}"

    @property
    def new_rows(self) -> str:
        return f"run.new_{self.name}"


@dataclass(frozen=True)
class Change:
    """How an export table differs from the published one.

    removed: ids that left it
    added:   how many rows are new; they are in `Export.new_rows`
    whole:   everything is to be written anew
    """

    removed: frozenset[str] = frozenset()
    added: int = 0
    whole: bool = True


EXPORTS = (
    Export("rag", "rag/playbooks.jsonl"),
    Export("sft", "sft/instruction_response.jsonl"),
    Export("preference", "preference/chosen_rejected.jsonl"),
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

    visit(export.name)
    visit(export.rejects)
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
    }
    run.engine.bind_arrow("run.options", pa.table({name: pa.array([value]) for name, value in options.items()}))
    text = "\n".join([*(f"{name}={value}" for name, value in options.items()), *sorted(paths)])
    return hashlib.sha256(text.encode()).hexdigest()


def _known_paths(path: Path | None) -> set[str]:
    if path is None:
        return set()
    try:
        return {line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the list of known paths can't be read: {error}") from error


def build(run: Run, export: Export, models: dict[str, Compiled]) -> Change:
    """Runs the gates of one export and brings its table and its part of the quarantine up to them."""
    marks = run.metadata({model.name: f"{model.version}:{model.fingerprint}" for model in models.values()})
    _update_texts(run, models[TEXTS.removeprefix("exports.")])
    run.bind_now("evidence.records", "scored.runs")
    for stem, model in models.items():
        name = f"exports.{stem}"
        if name not in (export.table, f"exports.{export.rejects}", TEXTS) and not run.engine.has_table(name):
            run.engine.materialise(name, model.sql)
    change = _write_rows(run, export, models[export.name].sql, marks)
    _write_rejects(run, export, models[export.rejects].sql, marks)
    return change


def _update_texts(run: Run, model: Compiled) -> None:
    """Brings exports.texts up to the records: only new ones are read, unless records or the model changed."""
    before = run.state.get("texts", {})
    now = run.store.read("evidence.records")
    if before.get("fingerprint") == model.fingerprint and before["evidence.records"] == now.version:
        run.bind_now(TEXTS)
        return
    files, replace = now.files, True
    if before.get("fingerprint") == model.fingerprint:
        then = run.store.read("evidence.records", before["evidence.records"])
        if not set(then.files) - set(now.files):
            files, replace = tuple(sorted(set(now.files) - set(then.files))), False
    run.bind("evidence.records", now, files=files)
    run.write(TEXTS, model.sql, run.metadata({model.name: f"{model.version}:{model.fingerprint}"}), replace=replace)
    run.state["texts"] = {"fingerprint": model.fingerprint, "evidence.records": now.version}
    run.bind_now(TEXTS)


def _write_rows(run: Run, export: Export, sql: str, marks: dict[str, str]) -> Change:
    engine, declared = run.engine, run.store.tables[export.table]
    change = _difference(run, export, sql)
    if change.whole:
        with engine.stream(sql) as reader:
            run.store.replace(export.table, reader.cast(declared.schema), marks)
        return change
    if change.removed:
        run.store.delete(export.table, f"id in ({', '.join(map(quoted, sorted(change.removed)))})", marks)
    if change.added:
        engine.materialise(export.new_rows, f"select * from ({sql}) where id in (select id from {export.new_rows})")
        run.store.append(export.table, engine.arrow(f"select * from {export.new_rows}").cast(declared.schema), marks)
    return change


def _difference(run: Run, export: Export, sql: str) -> Change:
    """Holds the rows to export against the published ones, by everything but the texts that the id is a hash of."""
    published = run.store.read(export.table)
    if not published.files:
        return Change()
    declared = run.store.tables[export.table]
    slim = ", ".join(name for name in declared.schema.names if name not in declared.bulk)
    run.bind(f"before.{export.name}", published)
    for name, rows in (("run.now", f"({sql})"), ("run.was", f"before.{export.name}")):
        run.engine.materialise(name, f"select id, {_mark('row')} from (select {slim} from {rows}) as row")
    same = "using (id, mark, second_mark)"
    run.engine.materialise(export.new_rows, f"select id from run.now anti join run.was {same}")
    gone = [row["id"] for row in run.engine.rows(f"select id from run.was anti join run.now {same} limit {MAX_REMOVED + 1}")]
    (amounts,) = run.engine.rows(
        f"select (select count(*) from {export.new_rows}) as new, (select count(*) from run.now) as now"
    )
    if amounts["new"] + len(gone) > MENDABLE * amounts["now"] or len(gone) > MAX_REMOVED:
        return Change()
    return Change(frozenset(gone), amounts["new"], whole=False)


def _write_rejects(run: Run, export: Export, sql: str, marks: dict[str, str]) -> None:
    """Writes this export's part of the quarantine: only what is new, as long as nothing left it."""
    schema = run.store.tables[QUARANTINE].schema
    mine, columns = f"export = {quoted(export.name)}", ", ".join(schema.names)
    run.bind("before.quarantine", run.store.read(QUARANTINE), where=mine)
    run.engine.materialise("run.rejects", f"select *, {_mark('row')} from (select {columns} from ({sql})) as row")
    run.engine.materialise(
        "run.moved",
        "select mark, second_mark, sum(amount) as amount from ("
        "select mark, second_mark, 1 as amount from run.rejects union all "
        f"select {_mark('row')}, -1 as amount from (select {columns} from before.quarantine) as row"
        ") group by mark, second_mark having sum(amount) <> 0",
    )
    # A repeated reject has the same mark as its twin: then, and when something left, the whole part is written.
    anew = run.engine.value("select count(*) as n from run.moved where amount <> 1")
    some = "" if anew else "where (mark, second_mark) in (select (mark, second_mark) from run.moved)"
    rows = run.engine.arrow(f"select {columns} from run.rejects {some}").cast(schema)
    if anew:
        run.store.replace(QUARANTINE, rows, marks, where=mine)
    elif rows.num_rows:
        run.store.append(QUARANTINE, rows, marks)


def _mark(row: str) -> str:
    """Returns the SQL of 128 bits that tell one row from another, as long as this process lives."""
    return f"hash({row}) as mark, hash({row}, 1) as second_mark"
