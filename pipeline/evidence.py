"""raw.lines to evidence.records and evidence.skips: only new lines, unless a stream's SQL or its past changed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compile import Compiled, evidence_model
from pipeline.engine import quoted
from pipeline.run import Run

SHARED_VIEWS = ("_lines", "_duplicates", "_objects")
REFUSED = ("source", "sig_hash", "skip_reason", "skip_detail")


@dataclass(frozen=True)
class Plan:
    """Which streams are built from all their lines, and which from the new files of raw.lines alone."""

    rebuild: frozenset[str]
    extend: frozenset[str]
    new_files: tuple[str, ...]


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
        deduped += _extend(run, {stream: models[stream] for stream in sorted(plan.extend)}, plan.new_files)
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
        fresh = {row["source"] for row in run.engine.rows("select distinct source from raw.lines")} & models.keys()
        _bind_lines(run, fresh - rebuild, known=True)
        overtaken = run.engine.rows("select distinct source from evidence.duplicates where is_known")
        rebuild |= {row["source"] for row in overtaken}
        return Plan(frozenset(rebuild), frozenset(fresh - rebuild), new_files)
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


def _bind_lines(run: Run, streams: set[str], known: bool) -> None:
    """Sets up the shared views over whatever raw.lines is bound to, for these streams."""
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
    engine.define("evidence.objects", run.library["evidence/_objects"].sql)


def _rebuild(run: Run, models: dict[str, Compiled], streams: frozenset[str]) -> Counter[str]:
    listed = ", ".join(quoted(stream) for stream in sorted(streams))
    run.bind("raw.lines", run.store.read("raw.lines"), where=f"source in ({listed})")
    _bind_lines(run, set(models), known=False)
    kept = f"source not in ({listed})"
    return _write(run, models, kept)


def _extend(run: Run, models: dict[str, Compiled], new_files: tuple[str, ...]) -> Counter[str]:
    run.bind("raw.lines", run.store.read("raw.lines"), files=new_files)
    _bind_lines(run, set(models), known=True)
    return _write(run, models, None)


def _write(run: Run, models: dict[str, Compiled], kept: str | None) -> Counter[str]:
    """Writes records and skips of the bound lines: beside the old ones, or in place of all but the `kept` ones."""
    engine, store = run.engine, run.store
    records, skips = store.tables["evidence.records"].schema, store.tables["evidence.skips"].schema
    metadata = run.metadata({f"evidence/{s}": f"{m.version}:{m.fingerprint}" for s, m in models.items()})
    write = store.append if kept is None else store.replace
    sql = _candidates(run, models, records, kept)
    refused: list[pa.RecordBatch] = []
    with engine.stream(sql) as reader:
        rows = pa.RecordBatchReader.from_batches(records, _settled(reader, records, refused))
        write("evidence.records", rows, metadata)
    engine.bind_arrow("evidence.refused", pa.Table.from_batches(refused, schema=_refused_schema()))
    new_skips = f"select {', '.join(skips.names)} from ({run.library['evidence/_skips'].sql})"
    if kept is not None:
        run.bind("before.skips", store.read("evidence.skips"), where=kept)
        new_skips = f"select {', '.join(skips.names)} from before.skips union all {new_skips}"
    found = engine.arrow(new_skips)
    if kept is not None or found.num_rows:
        write("evidence.skips", found.cast(skips), metadata)
    return run.count_by(
        "select source as key, count(*) as amount from evidence.duplicates where not is_known "
        "and (source, sig_hash) not in (select (source, sig_hash) from evidence.refused) group by source"
    )


def _candidates(run: Run, models: dict[str, Compiled], records: pa.Schema, kept: str | None) -> str:
    columns = ", ".join(records.names)
    none = "cast(null as varchar) as skip_reason, cast(null as varchar) as skip_detail"
    parts = []
    if kept is not None:
        run.bind("before.records", run.store.read("evidence.records"), where=kept)
        parts.append(f"select {columns}, {none} from before.records")
    if models:
        run.engine.define("evidence.candidates", " union all by name ".join(model.sql for model in models.values()))
        settled = run.library["evidence/_records"].sql
        parts.append(f"select {columns}, skip_reason, skip_detail from ({settled})")
    return " union all ".join(parts)


def _settled(reader: pa.RecordBatchReader, schema: pa.Schema, refused: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yields the rows that are evidence, and keeps the keys of those that are not."""
    for batch in reader:
        reason = batch.column("skip_reason")
        if reason.null_count < batch.num_rows:
            refused.append(batch.filter(pc.is_valid(reason)).select(REFUSED).cast(_refused_schema()))
            batch = batch.filter(pc.is_null(reason))
        if batch.num_rows:
            yield batch.select(schema.names).cast(schema)


def _refused_schema() -> pa.Schema:
    return pa.schema([pa.field(name, pa.string()) for name in REFUSED])
