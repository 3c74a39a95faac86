"""Parquet files that were written beside Delta become rows of a table, once the table's own conditions hold for all of them."""

from collections.abc import Mapping, Sequence

from pipeline.engine import Engine, ParquetFile
from pipeline.errors import GateError
from pipeline.tables import violation
from pipeline.warehouse import DeltaStore


def commit_checked(
    store: DeltaStore,
    engine: Engine,
    table: str,
    files: Sequence[ParquetFile],
    metadata: Mapping[str, str],
    *,
    replace: bool = False,
) -> None:
    """Commits files in a table's folder, beside those it has or in their place.

    Raises GateError where a row breaks the table's declaration: Delta's own checks see none of these rows.
    """
    declared = store.tables[table]
    if files:
        engine.bind("run.written", [str(file.path) for file in files], declared.schema)
        if broken := engine.rows(f"select * from run.written where {violation(declared)} limit 3"):
            raise GateError(f"rows for {table} break its declaration in sql/tables: {broken}; nothing was published")
    if files or replace:
        store.commit(table, files, metadata, replace=replace)
