"""raw.lines to evidence.records and evidence.skips: only new lines, unless a stream's SQL or its past changed."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.engine import quoted
from pipeline.models.compile import Compiled, evidence_model
from pipeline.run import Run

# Objects of raw.lines files up to this size, unpacked, are read once and kept; each stream's SQL reads larger ones by itself.
FEW_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Plan:
    """Which streams are built from all their lines, and which from the new files of raw.lines alone.

    is_bound: the views over the new lines are set up for exactly the streams to extend
    """

    rebuild: frozenset[str]
    extend: frozenset[str]
    new_files: tuple[str, ...]
    is_bound: bool = False


def models_of(run: Run) -> dict[str, Compiled]:
    """Returns the models of all streams, by stream."""
    return {model.stem: evidence_model(run.library, model.stem) for model in run.library.room("evidence")}


def build(run: Run, models: dict[str, Compiled]) -> None:
    """Brings evidence up to the lines that are landed."""
    before = dict(run.state.get("collect", {}))
    plan = _plan(run, models, before)
    deduped: Counter[str] = Counter(before.get("deduped", {}))
    if plan.rebuild:
        for stream in plan.rebuild:
            deduped.pop(stream, None)
        present = {stream: models[stream] for stream in sorted(plan.rebuild) if stream in models}
        deduped += _rebuild(run, present, plan.rebuild)
    if plan.extend:
        deduped += _extend(run, {stream: models[stream] for stream in sorted(plan.extend)}, plan)
    run.state["collect"] = {
        "models": {stream: model.fingerprint for stream, model in models.items()},
        "raw.lines": run.store.version("raw.lines"),
        "raw.files": run.store.version("raw.files"),
        "deduped": dict(sorted(deduped.items())),
    }


def bind_all(run: Run, streams: set[str]) -> None:
    """Makes `evidence.lines` every line that counts, beside the records and skips made of them."""
    run.bind_now("raw.lines", "raw.files", "evidence.records", "evidence.skips")
    deduped: dict[str, int] = run.state["collect"]["deduped"]
    amounts = {"source": pa.array(list(deduped), pa.string()), "amount": pa.array(list(deduped.values()), pa.int64())}
    run.engine.bind_arrow("run.deduped", pa.table(amounts))
    run.engine.bind_arrow("run.streams", pa.table({"source": pa.array(sorted(streams), pa.string())}))
    run.engine.define("evidence.lines", run.library["evidence/_lines"].sql)


def _plan(run: Run, models: dict[str, Compiled], before: dict[str, Any]) -> Plan:
    old_models: dict[str, str] = before.get("models", {})
    now = run.store.read("raw.lines")
    if "raw.lines" not in before:
        return Plan(frozenset(models), frozenset(), ())
    then = run.store.read("raw.lines", before["raw.lines"])
    if set(then.files) - set(now.files):
        return Plan(frozenset(models | old_models), frozenset(), ())
    new_files = tuple(sorted(set(now.files) - set(then.files)))
    rebuild = {stream for stream in models | old_models if old_models.get(stream) != _mark(models, stream)}
    rebuild |= _rewritten(run, before["raw.files"]) & models.keys()
    if new_files:
        run.bind("raw.lines", now, files=new_files)
        fresh = run.sources_in("raw.lines") & models.keys()
        _bind_lines(run, fresh - rebuild, known=True, files=new_files)
        overtaken = run.engine.rows("select distinct source from evidence.duplicates where is_known")
        rebuild |= {row["source"] for row in overtaken}
        return Plan(frozenset(rebuild), frozenset(fresh - rebuild), new_files, is_bound=not rebuild)
    return Plan(frozenset(rebuild), frozenset(), ())


def _mark(models: dict[str, Compiled], stream: str) -> str | None:
    return models[stream].fingerprint if stream in models else None


def _rewritten(run: Run, version_before: int) -> set[str]:
    """Returns the streams of which a file began a new generation."""
    run.bind("after.files", run.store.read("raw.files"))
    run.bind("before.files", run.store.read("raw.files", version_before))
    newest = "select source, source_file, max(generation) as generation from {} group by source, source_file"
    rows = run.engine.rows(
        f"select distinct now.source from ({newest.format('after.files')}) as now "
        f"inner join ({newest.format('before.files')}) as was on now.source_file = was.source_file "
        "where now.generation > was.generation"
    )
    return {row["source"] for row in rows}


def _bind_lines(run: Run, streams: set[str], known: bool, files: tuple[str, ...]) -> None:
    """Sets up the shared views over the files that raw.lines is bound to, for these streams."""
    engine = run.engine
    run.bind_now("raw.files")
    engine.bind_arrow("run.streams", pa.table({"source": pa.array(sorted(streams), pa.string())}))
    engine.define("evidence.lines", run.library["evidence/_lines"].sql)
    run.bind("before.records", run.store.read("evidence.records"), where="" if known else "false")
    engine.define(
        "evidence.known",
        "select source, sig_hash, source_file, line_offset from before.records "
        "where (source, sig_hash) in (select (source, sig_hash) from evidence.lines where status = 'object')",
    )
    engine.materialise("evidence.duplicates", run.library["evidence/_duplicates"].sql)
    objects = run.library["evidence/_objects"].sql
    if engine.unpacked_bytes(files) <= FEW_BYTES:
        engine.materialise("evidence.few_objects", objects)
        objects = "select * from evidence.few_objects"
    engine.define("evidence.objects", objects)


def _rebuild(run: Run, models: dict[str, Compiled], streams: frozenset[str]) -> Counter[str]:
    listed = ", ".join(quoted(stream) for stream in sorted(streams))
    lines = run.store.read("raw.lines")
    run.bind("raw.lines", lines, where=f"source in ({listed})")
    _bind_lines(run, set(models), known=False, files=lines.files)
    run.try_models(models.values())
    # Planning a stream's SQL takes longer than finding out that it has no lines.
    there = run.sources_in("raw.lines")
    return _write(run, {stream: model for stream, model in models.items() if stream in there}, f"source not in ({listed})")


def _extend(run: Run, models: dict[str, Compiled], plan: Plan) -> Counter[str]:
    if not plan.is_bound:
        run.bind("raw.lines", run.store.read("raw.lines"), files=plan.new_files)
        _bind_lines(run, set(models), known=True, files=plan.new_files)
    return _write(run, models, None)


def _write(run: Run, models: dict[str, Compiled], kept: str | None) -> Counter[str]:
    """Writes records and skips of the bound lines: beside the old ones, or in place of all but the `kept` ones."""
    metadata = run.metadata({f"evidence/{s}": f"{m.version}:{m.fingerprint}" for s, m in models.items()})
    records = _selection(run, "evidence.records", kept, f"select * from ({_settled(run, models)}) where skip_reason is null")
    run.write("evidence.records", records, metadata, replace=kept is not None)
    _bind_refused(run, models)
    skips = _selection(run, "evidence.skips", kept, run.library["evidence/_skips"].sql)
    run.write("evidence.skips", skips, metadata, replace=kept is not None)
    return run.count_by(
        "select source as key, count(*) as amount from evidence.duplicates where not is_known "
        "and (source, sig_hash) not in (select (source, sig_hash) from evidence.refused) group by source"
    )


def _selection(run: Run, table: str, kept: str | None, new: str) -> str:
    """Returns the SQL of the new rows of a table, with the old ones that stay."""
    columns = ", ".join(run.store.tables[table].schema.names)
    new = f"select {columns} from ({new})"
    if kept is None:
        return new
    before = f"before.{table.split('.')[1]}"
    run.bind(before, run.store.read(table), where=kept)
    return f"select {columns} from {before} union all {new}"


def _settled(run: Run, models: dict[str, Compiled]) -> str:
    """Returns the SQL of all objects of these streams as records, each with the reason why it can't be one."""
    if models:
        run.engine.define("evidence.candidates", " union all by name ".join(f"({model.sql})" for model in models.values()))
        return run.library["evidence/_records"].sql
    columns = ", ".join(run.store.tables["evidence.records"].schema.names)
    none = "cast(null as varchar) as skip_reason, cast(null as varchar) as skip_detail"
    return f"select {columns}, {none} from before.records where false"


def _bind_refused(run: Run, models: dict[str, Compiled]) -> None:
    """Makes `evidence.refused` the objects that did not become records, with the reason."""
    run.bind("after.records", run.store.read("evidence.records"))
    objects = run.library["evidence/_objects"].sql
    place = "objects.source_file = records.source_file and objects.line_offset = records.line_offset"
    # The places alone first: lines are long, and nearly all of them became records.
    run.engine.materialise(
        "evidence.left_places",
        f"select objects.source_file, objects.line_offset from ({objects}) as objects "
        f"anti join after.records as records on {place}",
    )
    run.engine.materialise(
        "evidence.left_over",
        f"select objects.* from ({objects}) as objects semi join evidence.left_places as records on {place}",
    )
    run.engine.define("evidence.objects", "select * from evidence.left_over")
    left = run.sources_in("evidence.left_over")
    reasons = _settled(run, {stream: model for stream, model in models.items() if stream in left})
    run.engine.materialise("evidence.refused", f"select source, sig_hash, skip_reason, skip_detail from ({reasons})")
