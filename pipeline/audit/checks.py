"""The sixteen checks. Each returns what it found wrong, in words; an empty list means that it holds."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pipeline import acceptance, advice
from pipeline.audit import baseline, examples
from pipeline.audit.context import Context
from pipeline.audit.provenance import provenance_sample
from pipeline.audit.replays import replay_log
from pipeline.collect import evidence
from pipeline.disk import file_sha256
from pipeline.export import corpora, files, page_folder, pages, playbooks
from pipeline.export.corpora import EXPORTS, Export
from pipeline.index import indexing
from pipeline.models.tables import is_chronicle, violation
from pipeline.score import model_ledger, rejudging, scoring
from pipeline.stages import STAGES
from pipeline.store import snapshots
from pipeline.store.contents import verify_content

SHOWN = 5


def inventory(context: Context) -> list[str]:
    """Every stream that has a file has a model, or is listed as having none."""
    run = context.run
    run.bind_now("raw.files")
    found = {row["source"] for row in run.engine.rows("select distinct source from raw.files")}
    listed = set(context.snapshot.state.get("counts", {}).get("collect", {}).get("by_stream", {}))
    return [
        f"stream {source} has landed lines, but the receipt of collect does not list it" for source in sorted(found - listed)
    ]


def schemas(context: Context) -> list[str]:
    """Every document's schema takes good documents and refuses bad ones; so does every table's declaration."""
    return [*examples.documents(), *examples.tables(context.run)]


def versions_lock(context: Context) -> list[str]:
    """Every model is locked as it is."""
    return context.run.library.unlocked()


def evidence_conservation(context: Context) -> list[str]:
    evidence.bind_all(context.run, set(evidence.models_of(context.run)))
    return _violations(context, "collect")


def evidence_schema(context: Context) -> list[str]:
    """Every record keeps to what the table declares."""
    run = context.run
    run.bind_now("evidence.records")
    condition = violation(run.store.tables["evidence.records"])
    return _shown(run.engine.rows(f"select source_file, line_offset from evidence.records where {condition} limit {SHOWN}"))


def one_score_per_record(context: Context) -> list[str]:
    context.run.bind_now("evidence.records", "scored.runs")
    return _violations(context, "score", "one_score_per_record")


def category_domain(context: Context) -> list[str]:
    context.run.bind_now("scored.runs")
    return _violations(context, "score", "category_domain")


def rescoring_reproduces(context: Context) -> list[str]:
    """The models give every record the score that it has, and these scores make the ledger that there is."""
    run = context.run
    scoring.rescore(run, scoring.models_of(run))
    run.bind_now("evidence.records", model_ledger.LEDGER)
    run.engine.define("scored.runs", "select * from run.rescored")
    model_ledger.compute(run)
    moved = run.engine.rows(f"select distinct model_name, task_type from ({model_ledger.difference(run)}) limit {SHOWN}")
    run.bind_now("scored.runs")
    columns = ", ".join(run.store.tables["scored.runs"].schema.names)
    was, now = (f"select {columns} from {name}" for name in ("scored.runs", "run.rescored"))
    rows = run.engine.rows(f"({was} except all {now}) union all ({now} except all {was}) limit {SHOWN}")
    found = [f"{row['source_file']}:{row['line_offset'] + 1}: scored again, it is another row" for row in rows]
    return [*found, *(f"the ledger says another thing of {row['model_name']}, {row['task_type']}" for row in moved)]


def reread(export: Export) -> Callable[[Context], list[str]]:
    """Every row of the file comes from a record that the corpus may hold, and its texts are those of its id."""

    def check(context: Context) -> list[str]:
        context.run.bind_now(export.table)
        corpora.vouch(context.run)
        files.bind_published(context.run, export)
        rejudging.rejudge(context.run, files.new_places(context.run, export))
        names = ("file_is_gated", "lines_are_judged_again", "texts_fit_id")
        return _violations(context, f"export-{export.name}", *(f"{export.name}_{name}" for name in names))

    return check


def files_equal_tables(context: Context) -> list[str]:
    """Every file has the bytes that were published, and its lines are the rows of its table; every table its content;
    the index the ids of its table.
    """
    run, found = context.run, []
    context.warnings.extend(run.findings)
    for export in EXPORTS:
        file = context.snapshot.files[export.file]
        path = run.settings.exports / file.path
        if not path.is_file() or file_sha256(path) != file.sha256:
            found.append(f"{path}: is not the file that was published; {_put_back()}")
        else:
            files.bind_published(run, export)
            found += _violations(context, f"export-{export.name}", f"{export.name}_file_equals_table")
    found += _pages(context)
    for name, content in context.snapshot.tables.items():
        if not is_chronicle(name):
            published = partial(snapshots.digests_in, run.store, run.engine, name)
            verify_content(run.store, run.engine, run.store.tables[name], content.delta_version, content, published)
    return found + indexing.flaws(run, context.snapshot)


def _pages(context: Context) -> list[str]:
    """Every page has the bytes that were published, and says what its playbook says; each shows what may be shown."""
    run, file = context.run, context.snapshot.files.get(page_folder.MANIFEST)
    if file is None:
        return []
    odd = page_folder.odd(run.settings.exports, file)[:SHOWN]
    found = [f"{name}: is not the page that was published; {_put_back()}" for name in odd]
    playbooks.bind_published(run)
    corpora.vouch(run)
    pages.bind_published(run)
    return found + _violations(context, "extract-playbooks")


def receipts_complete(context: Context) -> list[str]:
    """The run left one receipt per stage, all of it; and the history of audits is whole."""
    run, snapshot = context.run, context.snapshot
    run.bind_now("ops.receipts")
    rows = run.engine.rows("select stage, receipt from ops.receipts where run_id = ?", [snapshot.made_by])
    found = [f"run {snapshot.made_by} has {amount} receipts of {stage}" for stage, amount in _odd(row["stage"] for row in rows)]
    for row in rows:
        document = json.loads(row["receipt"])
        found += [f"the receipt of {row['stage']}: {problem}" for problem in examples.problems("stage_receipt.v1", document)]
        stage = snapshot.stages.get(row["stage"])
        if stage is not None and document["output_hash"] != stage.output_hash:
            found.append(f"the receipt of {row['stage']} names another output than the snapshot")
    return found + baseline.flaws(run)


def _odd(stages: Iterable[str]) -> list[tuple[str, int]]:
    held = list(stages)
    return [(stage.name, held.count(stage.name)) for stage in STAGES if held.count(stage.name) != 1]


def fixture_holds(context: Context) -> list[str]:
    """The invariants hold on the fixture, with the models that are in use here."""
    verdicts = context.examined if context.examined is not None else acceptance.examine(context.run.settings.sql)
    return [f"{verdict.number} {verdict.name} does not hold" for verdict in verdicts if not verdict.passed]


def _violations(context: Context, stage: str, *names: str) -> list[str]:
    """Runs checks of sql/checks/: those of a stage, or those that are named."""
    found = []
    for model in context.run.library.room("checks"):
        if model.head("stage") == stage and (not names or model.stem in names):
            rows = context.run.engine.rows(f"select * from ({model.sql}) limit {SHOWN}")
            found += [f"{model.stem}: {text}" for text in _shown(rows)]
    return found


def _shown(rows: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(row, default=str, ensure_ascii=False) for row in rows]


def _put_back() -> str:
    return f"`{advice.command('restore', '--to', 'latest')}` puts it back"


CHECKS: tuple[tuple[str, Callable[[Context], list[str]]], ...] = (
    ("inventory", inventory),
    ("schemas", schemas),
    ("versions_lock", versions_lock),
    ("evidence_conservation", evidence_conservation),
    ("provenance_sample", provenance_sample),
    ("evidence_schema", evidence_schema),
    ("one_score_per_record", one_score_per_record),
    ("category_domain", category_domain),
    ("rescoring_reproduces", rescoring_reproduces),
    *((f"{export.name}_reread", reread(export)) for export in sorted(EXPORTS, key=lambda export: export.name != "sft")),
    ("files_equal_tables", files_equal_tables),
    ("receipts_complete", receipts_complete),
    ("acceptance", fixture_holds),
    ("replay_log", replay_log),
)

__all__ = ["CHECKS"]
