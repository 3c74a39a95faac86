"""What differs between a table as it was at one published run and as it was at another."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.engine import Engine
from pipeline.errors import UsageError
from pipeline.models.tables import column_texts, key_text, row_digest
from pipeline.reader import Warehouse
from pipeline.store.snapshots import Snapshot


@dataclass(frozen=True)
class Difference:
    """How a table differs.

    counts:  rows added, removed and changed
    columns: how many of the changed rows differ in a column
    rows:    the first rows that differ: their `key`, `kind`, and the changed `columns`
    """

    table: str
    before: Snapshot
    after: Snapshot
    counts: dict[str, int]
    columns: dict[str, int]
    rows: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "from": self.before.run_id,
            "to": self.after.run_id,
            **self.counts,
            "columns": self.columns,
            "rows": self.rows,
        }


def difference(warehouse: Warehouse, table: str, before: str, after: str, limit: int) -> Difference:
    """Holds two states of a table against each other by its key; Parquet files that both share are not read.

    Landing times don't count as a difference. Raises UsageError for a table without a key, or a state that is not there.
    """
    store = warehouse.store
    keyed = sorted(name for name, declared in store.tables.items() if declared.key)
    if table not in keyed:
        raise UsageError(f"{table} can't be compared: there are {', '.join(keyed)}")
    declared = store.tables[table]
    with warehouse.opened() as engine:
        states = {"before": warehouse.find(engine, before), "after": warehouse.find(engine, after)}
        files = {name: set(warehouse.files(table, state)) for name, state in states.items()}
        texts = column_texts(declared)
        for name, other in (("before", "after"), ("after", "before")):
            engine.bind(f"{name}.rows", sorted(files[name] - files[other]), declared.schema)
            listed = ", ".join(f"concat_ws(chr(31), {', '.join(parts)})" for parts in texts.values())
            columns = f"{key_text(declared)} as key, {row_digest(declared)} as digest, [{listed}] as texts"
            engine.define(f"{name}.keyed", f"select {columns} from {name}.rows")
        numbers = pa.array(range(1, len(texts) + 1), pa.int64())
        engine.bind_arrow("run.columns", pa.table({"number": numbers, "name": pa.array(list(texts), pa.string())}))
        engine.materialise("run.changes", warehouse.library["drift/changes"].sql)
        amounts = _counts(engine, "kind", "count(distinct key)")
        columns_changed = _counts(engine, "column_name", "count(*)")
        rows = engine.rows(
            "select kind, key, list(column_name) filter (where column_name is not null) as columns from run.changes "
            "group by kind, key order by kind, key limit ?",
            [limit],
        )
    return Difference(
        table,
        states["before"],
        states["after"],
        {kind: amounts.get(kind, 0) for kind in ("added", "removed", "changed")},
        columns_changed,
        rows,
    )


def _counts(engine: Engine, column: str, amount: str) -> dict[str, int]:
    rows = engine.rows(f"select {column} as name, {amount} as amount from run.changes group by name order by name")
    return {row["name"]: row["amount"] for row in rows if row["name"] is not None}
