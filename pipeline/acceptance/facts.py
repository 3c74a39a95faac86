"""What the invariants are held against: the fixture, run in all the ways that they speak of, and what is found then."""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pyarrow as pa

from pipeline.acceptance.bench import GATES, TEXT, Bench, Facts
from pipeline.acceptance.fixture import PLANTED, stream_of
from pipeline.acceptance.planting import plant
from pipeline.errors import GateError
from pipeline.export.corpora import EXPORTS
from pipeline.reader import Warehouse
from pipeline.reports.receipts import validated
from pipeline.runner import Outcome
from pipeline.settings import Settings

# What the models in planted/lossy lose something of.
LOST = b"run-lost-"
TABLES = ("raw.lines", "raw.files", "evidence.records", "evidence.skips", "scored.runs", "exports.quarantine")
RECEIPT_COLUMNS = ("place", "kind", "stage", "run_id", "expected_run_id", "problem")


def gather(bench: Bench) -> Facts:
    """Runs the fixture and returns what SQL sees of it, by name. Raises GateError where a run fails that must come through."""
    facts = {"fixture.lines": bench.fixture.lines()}
    # DuckDB and Delta do much of the work, beside Python: two runs at a time take a third less than one after the other.
    with ThreadPoolExecutor(2) as pool:
        for found in [pool.submit(_chain, bench, parts) for parts in WAREHOUSES]:
            facts |= found.result()
    return facts | bench.notes()


def main(bench: Bench) -> Facts:
    """A run over everything."""
    settings = bench.settings("main")
    warehouse, outcome = bench.run("main", settings)
    facts = warehouse.tables_of(*TABLES) | _corpora(warehouse, settings, "files")
    facts["facts.receipts"] = _receipts(warehouse, settings, outcome)
    return facts


def again(bench: Bench) -> Facts:
    """The same once more in the same warehouse."""
    bench.run("again", bench.settings("main"))
    return {}


def leak(bench: Bench) -> Facts:
    """After these, one with a hole in the firewall."""
    settings = bench.settings("main")
    holed = plant(PLANTED / "leak", settings.sql_folders(), bench.root / "leak")
    bench.run("leak", replace(settings, sql=holed), must_pass=False)
    return {}


def fresh(bench: Bench) -> Facts:
    """The same in another warehouse."""
    warehouse, _ = bench.run("fresh", bench.settings("fresh"))
    return {"fresh.runs": warehouse.tables_of("scored.runs")["scored.runs"]}


def partial(bench: Bench) -> Facts:
    """There, with the switch that opens the gate of sft."""
    settings = bench.settings("fresh", gates=replace(GATES, include_partial=True))
    warehouse, _ = bench.run("partial", settings)
    stopped = warehouse.tables_of("exports.quarantine")["exports.quarantine"]
    return _corpora(warehouse, settings, "partial") | {"partial.quarantine": stopped}


def review(bench: Bench) -> Facts:
    """There, with the switch that opens the gate of rag."""
    settings = bench.settings("fresh", gates=replace(GATES, include_review=True))
    warehouse, _ = bench.run("review", settings)
    return _corpora(warehouse, settings, "review")


def without(bench: Bench) -> Facts:
    """A run that lacks every second stream."""
    streams = set(sorted(set(map(stream_of, bench.fixture.files)))[1::2])
    kept = [name for name in bench.fixture.files if stream_of(name) in streams]
    warehouse, outcome = bench.run("without", bench.settings("without", kept), must_pass=False)
    records = warehouse.tables_of("evidence.records", empty=outcome.failure is not None)["evidence.records"]
    return {"without.records": records, "without.files": pa.table({"source_file": pa.array(kept, TEXT)})}


def lossy(bench: Bench) -> Facts:
    """A run whose scores lose what tables as declared would not let them lose: only then have all gates something to do."""
    marked = [name for name, raw in bench.fixture.files.items() if LOST in raw]
    settings = bench.settings("lossy", marked)
    losing = plant(PLANTED / "lossy", settings.sql_folders(), bench.root / "lossy" / "sql")
    warehouse, _ = bench.run("lossy", replace(settings, sql=losing))
    return {"lossy.quarantine": warehouse.tables_of("exports.quarantine")["exports.quarantine"]}


# What is done in one warehouse, in this order; the longest comes first.
WAREHOUSES = ((fresh, partial, review), (main, again, leak), (without,), (lossy,))


def _chain(bench: Bench, parts: Sequence[Callable[[Bench], Facts]]) -> Facts:
    facts: Facts = {}
    for part in parts:
        facts |= part(bench)
    return facts


def _corpora(warehouse: Warehouse, settings: Settings, room: str) -> Facts:
    """Reads the published files line by line, as whoever trains on them would; times are left out."""
    found = {}
    for export in EXPORTS:
        rows = [json.loads(line) for line in (settings.exports / export.file).read_bytes().split(b"\n")[:-1]]
        schema = pa.schema(_timeless(warehouse.schema(export.table)))
        found[f"{room}.{export.name}"] = pa.Table.from_pylist(rows, schema=schema)
    return found


def _timeless(fields: Iterable[pa.Field]) -> list[pa.Field]:
    """The columns that are no times, in structs too; all may be null, for the files are what is examined here."""
    kept = []
    for held in fields:
        if pa.types.is_struct(held.type):
            inner = _timeless(held.type.field(number) for number in range(held.type.num_fields))
            kept.append(pa.field(held.name, pa.struct(inner)))
        elif not pa.types.is_timestamp(held.type):
            kept.append(held.with_nullable(True))
    return kept


def _receipts(warehouse: Warehouse, settings: Settings, outcome: Outcome) -> pa.Table:
    """Every receipt and report of a run, from the table and from the files, with what its schema says of it."""
    kinds = {"summary": "run_summary", "drift": "drift_report"}
    documents = [("table", "stage_receipt", receipt) for receipt in warehouse.receipts(outcome.run_id)]
    documents += [
        ("file", kinds.get(path.stem, "stage_receipt"), json.loads(path.read_text(encoding="utf-8")))
        for path in sorted((settings.reports / outcome.run_id).glob("*.json"))
    ]
    rows = [
        {
            "place": place,
            "kind": kind,
            "stage": document.get("stage"),
            "run_id": document.get("run_id"),
            "expected_run_id": outcome.run_id,
            "problem": _problem(f"{kind}.v1", document),
        }
        for place, kind, document in documents
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, TEXT) for name in RECEIPT_COLUMNS]))


def _problem(schema: str, document: dict[str, Any]) -> str | None:
    try:
        validated(schema, document)
    except GateError as error:
        return str(error)
    return None
