"""Tables of the warehouse as views on the Parquet files of one version."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.engine.literals import quoted
from pipeline.engine.refusals import told
from pipeline.errors import ModelError, is_of_surroundings

# Columns, Parquet files, and comments by column; that of "" is the view's own.
DeclaredView = tuple[pa.Schema, Sequence[str], Mapping[str, str]]
# What was noted of runs: nothing is made from it, so only who asks for it is told where a file of it is lost.
NOTES = ("ops.receipts", "ops.runs", "ops.drift")
# The name of a DuckDB file while it is written.
_DRAFT = "draft"


def table_schemas(declarations: Mapping[str, str]) -> dict[str, pa.Schema]:
    """Returns the Arrow schema of each `create table` statement, by the table's name."""
    return dict(_table_schemas(tuple(declarations.items())))


@cache  # declarations are read anew by every run and every reader of a process
def _table_schemas(declarations: tuple[tuple[str, str], ...]) -> Mapping[str, pa.Schema]:
    connection = duckdb.connect()
    try:
        connection.execute("set TimeZone = 'UTC'")
        for room in sorted({name.split(".")[0] for name, _ in declarations}):
            connection.execute(f"create schema {room}")
        for name, ddl in declarations:
            try:
                connection.execute(ddl)
            except duckdb.Error as error:
                raise ModelError(f"the table {name} is not declared right: {error}") from error
        columns = "select schema_name || '.' || table_name, column_name from duckdb_columns() where not is_nullable"
        required = frozenset(connection.execute(columns).fetchall())
        return {name: _table_schema(connection, name, required) for name, _ in declarations}
    finally:
        connection.close()


def _table_schema(connection: duckdb.DuckDBPyConnection, name: str, required: Collection[tuple[str, str]]) -> pa.Schema:
    try:
        schema: pa.Schema = connection.execute(f"select * from {name}").to_arrow_table().schema
    except duckdb.Error as error:
        raise ModelError(f"the table {name} is not declared right: {error}") from error
    return pa.schema([field.with_nullable((name, field.name) not in required) for field in schema])


def write_views(connection: duckdb.DuckDBPyConnection, path: Path, views: Mapping[str, DeclaredView]) -> None:
    """Writes a DuckDB file with views on Parquet files below its folder, which finds them again after the folder was moved.

    It is replaced as a whole, so a reader has either the old views or the new ones.
    """
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with told(f"the catalog {path}"), _dropped_on_failure(draft):
        connection.execute(f"attach {quoted(str(draft))} as {_DRAFT}")
        own = connection.cursor()
        try:
            try:
                # Each view for itself would wait for the disk.
                own.begin()
                _write_views(own, views, path)
                own.commit()
            except duckdb.Error:
                # A note that is lost ends a transaction, though not the view that stands for it.
                own.rollback()
                _write_views(own, views, path)
        finally:
            own.close()
            connection.execute(f"detach {_DRAFT}")
        draft.replace(path)


@contextmanager
def _dropped_on_failure(draft: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _write_views(connection: duckdb.DuckDBPyConnection, views: Mapping[str, DeclaredView], path: Path) -> None:
    named = partial(_beside, path)
    for name, (schema, files, comments) in views.items():
        connection.execute(f"create schema if not exists {_DRAFT}.{name.split('.')[0]}")
        create_view(connection, name, schema, files, database=_DRAFT, named=named)
        said = (_comment(f"{_DRAFT}.{name}", column, comment) for column, comment in comments.items())
        connection.execute("; ".join(said))


def _beside(catalog: Path, file: str) -> str:
    """Returns an expression for the path of a Parquet file: beside the catalog where that is what a client opened.

    A view may not ask where its own database is, nor does DuckDB read a relative path from there. But a client that opens a
    database without further ado keeps its temporary files beside it, and that setting may stand in a view. Who attaches the
    catalog to another database, or keeps temporary files elsewhere, reads from where the warehouse was when it was written.
    """
    folder = next((f for f in (catalog.parent, catalog.parent.resolve()) if Path(file).is_relative_to(f)), None)
    if folder is None:
        return quoted(file)
    beside = f"{catalog.name}.tmp"
    setting = "current_setting('temp_directory')"
    here = f"left({setting}, length({setting}) - {len(beside)})"
    place = f"case when {setting} like {quoted(f'%{beside}')} then {here} else {quoted(f'{folder}/')} end"
    return f"{place} || {quoted(str(Path(file).relative_to(folder)))}"


def _comment(name: str, column: str, comment: str) -> str:
    kind, target = ("column", f'{name}."{column}"') if column else ("view", name)
    return f"comment on {kind} {target} is {quoted(comment)}"


def create_view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    schema: pa.Schema,
    files: Sequence[str],
    where: str = "",
    with_names: bool = False,
    database: str = "memory",
    named: Callable[[str], str] = quoted,
) -> frozenset[str]:
    """Creates a view and returns the columns that its files lack. All files of one version of a table have the same columns.

    named: returns the SQL that stands for the path of a file
    """
    create = f"create or replace view {database}.{name} as"
    lacking: frozenset[str] = frozenset()
    listed = list(map(named, files))
    try:
        try:
            connection.execute(f"{create} {_selection(schema, listed, where, with_names, lacking)}")
        except duckdb.BinderException:
            lacking = _lacking(connection, schema, files)
            if not lacking:
                raise
            connection.execute(f"{create} {_selection(schema, listed, where, with_names, lacking)}")
    except duckdb.Error as error:
        if name not in NOTES or is_of_surroundings(error):
            raise
        connection.execute(f"{create} {_lost(name, schema)}")
    return lacking


def _lacking(connection: duckdb.DuckDBPyConnection, schema: pa.Schema, files: Sequence[str]) -> frozenset[str]:
    held = connection.execute(f"describe select * from read_parquet({quoted(files[0])})").fetchall() if files else []
    return frozenset(schema.names) - {row[0] for row in held} if held else frozenset()


def _selection(schema: pa.Schema, listed: Sequence[str], where: str, with_names: bool, lacking: frozenset[str]) -> str:
    if listed:
        condition = f" where {where}" if where else ""
        names = ", filename" if with_names else ""
        columns = ", ".join(_null(field) if field.name in lacking else f'"{field.name}"' for field in schema)
        return f"select {columns}{names} from read_parquet([{', '.join(listed)}], filename = {with_names}){condition}"
    columns = ", ".join(map(_null, schema))
    return f"select {columns}{', cast(null as varchar) as filename' if with_names else ''} where false"


def _null(field: pa.Field) -> str:
    return f'cast(null as {_sql_type(field.type)}) as "{field.name}"'


def _lost(name: str, schema: pa.Schema) -> str:
    """Returns a query with the columns of a table that fails, however little of it is asked for."""
    # In the columns and in the condition: else a filter on a column, or a count, would be answered without it.
    fails = f"error({quoted(f'a Parquet file of {name} is lost or damaged')})"
    columns = ", ".join(f'cast({fails} as {_sql_type(f.type)}) as "{f.name}"' for f in schema)
    return f"select {columns} from range(1) where {fails} is null"


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_struct(kind):
        return f"struct({', '.join(f'{chr(34)}{m.name}{chr(34)} {_sql_type(m.type)}' for m in kind)})"
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    names = {
        "string": "varchar",
        "int64": "bigint",
        "int32": "integer",
        "bool": "boolean",
        "double": "double",
        "binary": "blob",
    }
    return "timestamptz" if pa.types.is_timestamp(kind) else names[str(kind)]
