"""The gates alone: records and scores in, what is exported and what is stopped out. The SQL is ours, as it stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from pipeline import models
from pipeline.engine import Engine
from pipeline.export.corpora import OPTIONS
from pipeline.models import Library
from pipeline.models.tables import load
from pipeline.settings import builtin_sql

START = datetime(2026, 4, 27, tzinfo=UTC)
CATEGORIES = ("accepted", "partially_accepted", "rejected", "needs_human_review")


def _all_nullable(table: str) -> pa.Schema:
    declared = load([builtin_sql()])[table].schema
    return pa.schema([field.with_nullable(True) for field in declared])


RECORDS, RUNS = _all_nullable("evidence.records"), _all_nullable("scored.runs")


def record(name: str, category: str, *, second: int = 0, **more: Any) -> dict[str, Any]:
    """A record with its score in one row; whatever is not said is sound and its own."""
    row = {
        "source": "observer_reviews",
        "sig_hash": f"sig-{name}",
        "source_file": "observer_reviews.jsonl",
        "line_offset": 7,
        "run_id": f"run-{name}",
        "task_id": "task",
        "occurred_at": START + timedelta(seconds=second),
        "recorded_at": START,
        "instruction": f"do {name}",
        "content": f"content of {name}",
        "cited_paths": [],
        "category": category,
        "reasons": ["because"],
    }
    return row | more


@dataclass(frozen=True)
class Gated:
    """What the gates of one export let out, stopped, and left over."""

    out: list[dict[str, Any]]
    stopped: list[dict[str, Any]]
    pairs: list[dict[str, Any]]

    def reasons(self) -> dict[str, str]:
        """Returns the reason of every stopped record, by sig_hash."""
        return {row["sig_hash"]: row["reason"] for row in self.stopped}


@contextmanager
def gate_engine() -> Iterator[tuple[Engine, Library]]:
    library = models.load([builtin_sql()])
    with TemporaryDirectory() as folder:
        engine = Engine(library.functions.sql, threads=1, spill=Path(folder))
        yield engine, library
        engine.close()


def gated(
    opened: tuple[Engine, Library],
    export: str,
    rows: list[dict[str, Any]],
    *,
    include_review: bool = False,
    include_partial: bool = False,
    known_paths: list[str] | None = None,
    lost: frozenset[str] = frozenset(),
    **pairing: Any,
) -> Gated:
    """Runs the models of an export in the order of their inputs. `lost` names columns that only the score lacks."""
    engine, library = opened
    engine.bind_arrow("evidence.records", pa.Table.from_pylist(rows, schema=RECORDS))
    engine.bind_arrow("scored.runs", pa.Table.from_pylist([_score(row, lost) for row in rows], schema=RUNS))
    bind_options(engine, include_review=include_review, include_partial=include_partial, known_paths=known_paths, **pairing)
    done: set[str] = set()
    for stem in (export, f"quarantine_{export}"):
        materialise(engine, library, stem, done)
    pairs = engine.rows("select * from exports.preference_pairs") if export == "preference" else []
    return Gated(engine.rows(f"from exports.{export}"), engine.rows(f"from exports.quarantine_{export}"), pairs)


def bind_options(engine: Engine, *, known_paths: list[str] | None = None, **switches: Any) -> None:
    """Binds the switches of a run; those that are not named stand as `distill run-all` has them."""
    engine.bind_arrow("run.known_paths", pa.table({"path": pa.array(known_paths or [], pa.string())}))
    plain = {"include_review": False, "include_partial": False, "cross_stream": True, "cross_stream_days": 7}
    plain |= {"pairs": "same-prompt", "max_pairs": 5}
    options = {**plain, "known_paths_given": known_paths is not None, **switches}
    engine.bind_arrow("run.options", pa.Table.from_pylist([options], schema=OPTIONS))


def _score(row: dict[str, Any], lost: frozenset[str]) -> dict[str, Any]:
    return row | dict.fromkeys(row.get("lost", lost), None)


def materialise(engine: Engine, library: Library, stem: str, done: set[str]) -> None:
    """Runs a model, after those that it reads; those that are `done` are not run again."""
    name = f"exports/{stem}"
    if stem in done or name not in library:
        return
    done.add(stem)
    for table in sorted(library[name].inputs):
        if table.startswith("exports."):
            materialise(engine, library, table.removeprefix("exports."), done)
    engine.materialise(f"exports.{stem}", library[name].sql)
