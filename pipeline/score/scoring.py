"""evidence.records to scored.runs: new records are judged, and old ones again where what other records say reaches them."""

import hashlib
import json

import pyarrow as pa

from pipeline.engine import quoted
from pipeline.errors import ModelError
from pipeline.models.compile import Compiled, scoring_model
from pipeline.run import Run

SCORES = "scored.runs"
SETTLERS = pa.schema({"name": pa.string()})
# What this process judged, by place: what is about to leave is held against it, and not against a table.
JUDGED = "run.judged"
PLACED = "place_hash(source_file, line_offset, sig_hash)"


def models_of(run: Run) -> dict[str, Compiled]:
    """Returns the models that judge, by name. Raises ModelError where a stream has none or two."""
    models = {model.stem: scoring_model(run.library, model) for model in run.library.room("scored")}
    _check_coverage(run, models)
    return models


def bind_switches(run: Run) -> str:
    """Binds what the models read besides tables: the list of settlers. Returns a hash over it."""
    run.state["settlers"] = sorted(set(run.settings.gates.settlers))
    bind_settlers(run)
    return hashlib.sha256(json.dumps(run.state["settlers"]).encode()).hexdigest()


def bind_settlers(run: Run) -> None:
    """Binds the settlers that the scores were made with last."""
    names = [{"name": name} for name in run.state.get("settlers", [])]
    run.engine.bind_arrow("run.settlers", pa.Table.from_pylist(names, schema=SETTLERS))


def build(run: Run, models: dict[str, Compiled]) -> None:
    """Brings scores up to the evidence."""
    before = run.state.get("score", {})
    fingerprints = {name: model.fingerprint for name, model in models.items()}
    now = run.store.read("evidence.records")
    new_files, kept = now.files, False
    if before.get("models") == fingerprints and before.get("settlers") == run.state["settlers"]:
        then = run.store.read("evidence.records", before["evidence.records"])
        if not set(then.files) - set(now.files):
            kept, new_files = True, tuple(sorted(set(now.files) - set(then.files)))
    _score(run, models, new_files, kept)
    run.state["score"] = {
        "models": fingerprints,
        "evidence.records": now.version,
        "settlers": run.state["settlers"],
    }


def rescore(run: Run, models: dict[str, Compiled]) -> None:
    """Makes `run.rescored` what the models say of all records as they are now."""
    everything = run.store.read("evidence.records").files
    _judge(run, models, everything, kept=False)
    run.engine.define("run.rescored", "select * from run.free_scores union all select * from run.bound_scores")


def _check_coverage(run: Run, models: dict[str, Compiled]) -> None:
    scored = [source for model in models.values() for source in model.sources]
    for source in sorted({source for source in scored if scored.count(source) > 1}):
        paths = ", ".join(str(model.path) for model in models.values() if source in model.sources)
        raise ModelError(f"{paths}: more than one model judges {source}; each stream needs exactly one")
    missing = sorted({model.stem for model in run.library.room("evidence")} - set(scored))
    if missing:
        raise ModelError(f"no model in sql/2_scored judges {', '.join(missing)}; add sql/2_scored/{missing[0]}.sql")


def _score(run: Run, models: dict[str, Compiled], new_files: tuple[str, ...], kept: bool) -> None:
    """Judges the records of `new_files`, and with `kept` keeps the scores of others that did not change."""
    engine = run.engine
    columns = ", ".join(run.store.tables[SCORES].schema.names)
    _judge(run, models, new_files, kept)
    remember(run)

    same = "was.source = now.source and was.sig_hash = now.sig_hash"
    bound_sources = _listed([model for model in models.values() if _is_bound(model)])
    engine.define("run.old_bound", f"select {columns} from before.runs where source in ({bound_sources})")
    changed = engine.value(
        f"select count(*) as n from run.old_bound as was left join run.bound_scores as now on {same} "
        "where (was.category, was.reasons, was.source_file, was.line_offset) "
        "is distinct from (now.category, now.reasons, now.source_file, now.line_offset)"
    )
    marks = {f"scored/{name}": f"{model.version}:{model.fingerprint}" for name, model in models.items()}
    fresh = f"select {columns} from run.free_scores"
    if kept and not changed:
        new_bound = f"select {columns} from run.bound_scores as now anti join run.old_bound as was on {same}"
        run.write(SCORES, f"{fresh} union all {new_bound}", run.metadata(marks), replace=False)
    else:
        old = f"select {columns} from before.runs where source not in ({bound_sources})"
        everything = f"{old} union all {fresh} union all select {columns} from run.bound_scores"
        run.write(SCORES, everything, run.metadata(marks), replace=True)


def _judge(run: Run, models: dict[str, Compiled], new_files: tuple[str, ...], kept: bool) -> None:
    """Makes `run.free_scores` the scores of the records of `new_files`, and `run.bound_scores` those of all records whose
    score hangs on other records, or on their scores.
    """
    engine, store = run.engine, run.store
    columns = ", ".join(store.tables[SCORES].schema.names)
    free = [model for model in models.values() if not _is_bound(model)]
    bound = [model for model in models.values() if _is_bound(model)]
    run.bind("before.runs", store.read(SCORES), where="" if kept else "false")

    run.bind("evidence.records", store.read("evidence.records"), files=new_files)
    if not kept:
        run.bind("scored.runs", store.read(SCORES))
        run.try_models(models.values())
    # Planning a stream's SQL takes longer than finding out that it has no records.
    new = run.sources_in("evidence.records")
    free = [model for model in free if new & set(model.sources)]
    held = new | run.sources_in("before.runs")
    bound = [model for model in bound if held & set(model.sources)]
    engine.materialise("run.free_scores", _scores_sql(run, free, columns))

    run.bind_now("evidence.records")
    # Those that read records come first, for the others read their scores too.
    of_records = [model for model in bound if SCORES not in model.inputs]
    of_scores = [model for model in bound if SCORES in model.inputs]
    engine.materialise("run.record_scores", _scores_sql(run, of_records, columns))
    engine.define(
        SCORES,
        f"select {columns} from before.runs where source not in ({_listed(of_records)}) "
        f"union all select {columns} from run.free_scores union all select {columns} from run.record_scores",
    )
    everything = f"{_scores_sql(run, of_scores, columns)} union all select {columns} from run.record_scores"
    engine.materialise("run.bound_scores", everything)


def _is_bound(model: Compiled) -> bool:
    return model.reads_others or SCORES in model.inputs


def _listed(models: list[Compiled]) -> str:
    return ", ".join(quoted(source) for model in models for source in model.sources) or "''"


def remember(run: Run) -> None:
    """Makes `run.judged` what was judged just now."""
    either = "select * from run.free_scores union all select * from run.bound_scores"
    run.engine.materialise(JUDGED, f"select {PLACED} as place, category from ({either})")
    run.shared.add(JUDGED)


def judge_bound(run: Run, models: dict[str, Compiled]) -> None:
    """Makes `run.free_scores` and `run.bound_scores` what the models say of what `evidence.records` is bound to, alone."""
    engine, columns = run.engine, ", ".join(run.store.tables[SCORES].schema.names)
    run.bind("before.runs", run.store.read(SCORES), where="false")
    bind_settlers(run)
    there = run.sources_in("evidence.records")
    held = [model for model in models.values() if there & set(model.sources)]
    engine.materialise("run.free_scores", _scores_sql(run, [m for m in held if SCORES not in m.inputs], columns))
    engine.define(SCORES, f"select {columns} from run.free_scores")
    engine.materialise("run.bound_scores", _scores_sql(run, [m for m in held if SCORES in m.inputs], columns))


def _scores_sql(run: Run, models: list[Compiled], columns: str) -> str:
    if not models:
        return f"select {columns} from before.runs where false"
    run.engine.define("scored.judged", " union all by name ".join(f"({model.sql})" for model in models))
    return f"select {columns} from ({run.library['scored/_runs'].sql})"
