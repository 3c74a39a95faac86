"""The whole run as one readable sequence: what each stage reads, makes and counts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pipeline import counts
from pipeline.collect import evidence, landing, surroundings
from pipeline.collect.chunks import Load
from pipeline.export import corpora, files, page_folder, pages, playbooks
from pipeline.export.corpora import EXPORTS, Export
from pipeline.index import fulltext, indexing
from pipeline.models.compile import Compiled
from pipeline.reports.receipts import Receipt
from pipeline.run import Run
from pipeline.score import model_ledger, rejudging, scoring
from pipeline.store import ledger
from pipeline.store.contents import combined_hash

Models = dict[str, Compiled]


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    needs:   stages without which it makes no sense
    prepare: what is done before anything is compared: landing, binding of switches; returns hashes of inputs beside tables
    models:  the SQL that decides its result
    build:   brings the outputs up to the inputs, given a hash over SQL and switches; returns what is to be done before the
             checks, where something goes on meanwhile that these wait for
    intact:  whether what it made is still there
    settles: False for a part of a stage, which leaves the stage itself to be done
    count:   what went in and came out
    confirm: what is left to find out once the checks held
    drafts:  True where it drafts files for the exports folder
    """

    name: str
    needs: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    prepare: Callable[[Run, Receipt], dict[str, str]]
    models: Callable[[Run], Models]
    build: Callable[[Run, Models, str], Callable[[], None] | None]
    count: Callable[[Run, Models], dict[str, Any]]
    intact: Callable[[Run], bool] = lambda run: True
    settles: bool = True
    confirm: Callable[[Run], None] = lambda run: None
    drafts: bool = False


def models_hash(compiled: Models) -> str:
    """Returns one hash over the SQL that decides a stage's result, as a snapshot keeps it of the stage."""
    return combined_hash({model.name: model.fingerprint for model in compiled.values()})


def _land(run: Run, receipt: Receipt) -> dict[str, str]:
    schema = run.store.tables["raw.lines"].schema
    load = Load(run.run_id, run.recorded_at, schema, run.settings.accept_rewrite, run.settings.max_line)
    landed = landing.land(run.settings.data, run.store, run.engine, load, run.reporter.advance)
    known = {model.stem for model in run.library.room("evidence")}
    receipt.warnings += surroundings.warnings_about(run.settings.data, landed, known)
    receipt.warnings += [
        f"{name}: its last line is not complete yet and is read again next run" for name in landed.partial_tails
    ]
    receipt.warnings += [f"{name}: was rewritten; its new content counts from now on" for name in landed.rewritten]
    return {"files": ledger.ledger_hash(run.store, run.engine)}


def _landed(run: Run, receipt: Receipt) -> dict[str, str]:
    return {"files": ledger.ledger_hash(run.store, run.engine)}


def _nothing(run: Run, receipt: Receipt) -> dict[str, str]:
    return {}


def _judge(run: Run, models: Models, made_of: str) -> None:
    # A change of the ledger alone judges nothing again.
    scoring.build(run, {name: model for name, model in models.items() if model.sources})
    model_ledger.build(run)


def _export(export: Export) -> Stage:
    def prepare(run: Run, receipt: Receipt) -> dict[str, str]:
        if run.settings.gates.known_paths is None:
            receipt.warnings.append("no list of known paths was given: the gate hallucinated_file_path is off")
        return {"switches": corpora.bind_switches(run)}

    def build(run: Run, models: Models, made_of: str) -> Callable[[], None]:
        decided = corpora.decide(run, export, models, made_of)
        run.files[export.file] = files.draft(run, export, decided.change)
        corpora.set_apart(run, export, models, decided)

        def look_again() -> None:
            corpora.vouch(run)
            corpora.find_unknown_paths(run)
            files.read_again(run, export, decided.change)
            rejudging.rejudge(run, files.new_places(run, export))

        return look_again

    def intact(run: Run) -> bool:
        file = run.files.get(export.file)
        return file is not None and files.is_in_place(run.settings.exports, file, run.stamps)

    return Stage(
        f"export-{export.name}",
        needs=("score",),
        inputs=("evidence.records", "scored.runs"),
        outputs=(export.table, f"exports.quarantine/{export.name}"),
        prepare=prepare,
        models=lambda run: corpora.models_of(run, export),
        build=build,
        count=lambda run, models: counts.exported(run, export),
        intact=intact,
        confirm=lambda run: files.wait_for_hash(run, export),
        drafts=True,
    )


COLLECT = Stage(
    "collect",
    needs=(),
    inputs=("raw.lines",),
    outputs=("evidence.records", "evidence.skips"),
    prepare=_land,
    models=evidence.models_of,
    build=lambda run, models, _: evidence.build(run, models),
    count=counts.collected,
)
SCORE = Stage(
    "score",
    needs=("collect",),
    inputs=("evidence.records",),
    outputs=("scored.runs", "scored.model_ledger"),
    prepare=lambda run, receipt: {"settlers": scoring.bind_switches(run)},
    models=lambda run: scoring.models_of(run) | model_ledger.models_of(run),
    build=_judge,
    count=lambda run, models: counts.scored(run),
)
EXPORT_STAGES = tuple(_export(export) for export in EXPORTS)


def _extract(run: Run, models: Models, made_of: str) -> None:
    playbooks.build(run, models, made_of)
    corpora.vouch(run)
    run.files[page_folder.MANIFEST] = pages.draft(run)
    pages.read_again(run, run.files[page_folder.MANIFEST])


def _pages_in_place(run: Run) -> bool:
    file = run.files.get(page_folder.MANIFEST)
    return file is not None and page_folder.is_in_place(run.settings.exports, file, run.stamps, in_part=True)


PLAYBOOKS = Stage(
    "extract-playbooks",
    needs=("export-rag",),
    inputs=playbooks.INPUTS,
    outputs=(playbooks.TABLE,),
    prepare=_nothing,
    models=playbooks.models_of,
    build=_extract,
    count=lambda run, models: counts.extracted(run),
    intact=_pages_in_place,
    drafts=True,
)

INDEX = Stage(
    "index",
    needs=("export-rag",),
    inputs=(indexing.SOURCE,),
    outputs=(indexing.NAME,),
    prepare=lambda run, receipt: {"format": fulltext.FORMAT},
    models=lambda run: {},
    build=lambda run, models, _: indexing.build(run),
    count=lambda run, models: indexing.count(run),
    intact=indexing.intact,
)

STAGES = (COLLECT, SCORE, *EXPORT_STAGES, PLAYBOOKS, INDEX)

# Commands that do less than the whole: which form of which stage they run.
LAND = replace(COLLECT, outputs=("raw.lines",), count=lambda run, models: counts.landed(run), settles=False)
EVIDENCE = replace(COLLECT, prepare=_landed)
COMMANDS: dict[str, tuple[Stage, ...]] = {
    "run-all": STAGES,
    "land": (LAND,),
    "build-evidence": (EVIDENCE,),
    "score": (SCORE,),
    **{stage.name: (stage,) for stage in EXPORT_STAGES},
    PLAYBOOKS.name: (PLAYBOOKS,),
    "export-all": (*EXPORT_STAGES, PLAYBOOKS),
    INDEX.name: (INDEX,),
}
