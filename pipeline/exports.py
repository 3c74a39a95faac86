"""scored.runs to the tables of the three corpora, through the gates."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline.compile import Compiled, plain_model
from pipeline.engine import quoted
from pipeline.errors import InputError
from pipeline.run import Run


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
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _known_paths(path: Path | None) -> set[str]:
    if path is None:
        return set()
    try:
        return {line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the list of known paths can't be read: {error}") from error


def build(run: Run, export: Export, models: dict[str, Compiled]) -> None:
    """Runs the gates of one export and writes its table and its part of the quarantine."""
    engine, store = run.engine, run.store
    run.bind_now("evidence.records", "scored.runs")
    for stem, model in models.items():
        if stem not in (export.name, export.rejects) and not engine.has_table(f"exports.{stem}"):
            engine.materialise(f"exports.{stem}", model.sql)
    marks = run.metadata({model.name: f"{model.version}:{model.fingerprint}" for model in models.values()})
    schema = store.tables[export.table].schema
    with engine.stream(models[export.name].sql) as reader:
        store.replace(export.table, reader.cast(schema), marks)
    rejects = engine.arrow(models[export.rejects].sql).cast(store.tables["exports.quarantine"].schema)
    store.replace("exports.quarantine", rejects, marks, where=f"export = {quoted(export.name)}")
