"""Parquet files that were written beside Delta become rows of a table, once the table's own conditions hold for all of them."""

from collections.abc import Mapping, Sequence

from pipeline.engine import Engine, ParquetFile, quoted
from pipeline.errors import GateError
from pipeline.models.tables import Table, key_text, violation, violations
from pipeline.store.delta import DeltaStore


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
        if engine.value(f"select count(*) as n from (select 1 from run.written where {violation(declared)} limit 1)"):
            raise GateError(f"rows for {table} break its declaration in sql/tables: {_broken(engine, declared)}")
    if files or replace:
        store.commit(table, files, metadata, replace=replace)


def _broken(engine: Engine, declared: Table) -> str:
    """Says what is wrong with how many rows, and of one of them which it is; their texts may be long."""
    said = ", ".join(f"case when {condition} then {quoted(name)} end" for name, condition in violations(declared).items())
    found = engine.rows(
        f"select array_to_string([{said}], ', ') as wrong, count(*) as amount, min({key_text(declared)}) as key "
        f"from run.written where {violation(declared)} group by wrong order by wrong limit 3"
    )
    keys = ", ".join(declared.key)
    shown = (f"{row['wrong']} ({row['amount']} of them, such as {keys} {row['key']})" for row in found)
    return "; ".join(shown) + "; nothing was published"
