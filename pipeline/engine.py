"""DuckDB: the one place where SQL runs. Tables of the warehouse are views on the Parquet files of one version."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from pipeline.errors import (
    NOT_NEEDED,
    WAY_OUT,
    DamageError,
    ModelError,
    UsageError,
    WarehouseError,
    explained,
    is_of_surroundings,
)

ROWS_PER_BATCH = 8192
# The rooms of the warehouse, what a run binds beside them, and what acceptance compares.
SCHEMAS = (
    *("raw", "evidence", "scored", "exports", "ops", "run", "files", "before", "after"),
    *("fixture", "facts", "fresh", "partial", "review", "without", "lossy"),
)
# What was noted of runs: nothing is made from it, so only who asks for it is told where a file of it is lost.
NOTES = ("ops.receipts", "ops.runs", "ops.drift")
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)

# Types that are printed as they are, and types that are printed as JSON; all others are printed as text.
_PLAIN = {"boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint", "double"}
_NESTED = {"decimal", "hugeint", "uhugeint", "bignum", "list", "array", "struct", "map", "union"}


class ParquetFile(NamedTuple):
    """A file that was just written."""

    path: Path
    rows: int
    bytes: int


class PrintedColumn(NamedTuple):
    """A column of a result as it is printed."""

    name: str
    is_json: bool = False


class Engine:
    """A DuckDB connection in memory. Text columns sort by code point, times are UTC."""

    def __init__(self, functions: str, *, threads: int | None = None, memory_limit: str = "2GB", spill: Path) -> None:
        self.spill = spill
        self._bound: dict[str, tuple[str, ...]] = {}
        config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        if threads is not None:
            config["threads"] = threads
        try:
            self._connection = duckdb.connect(config=config)
        except duckdb.Error as error:
            raise UsageError(f"DuckDB refused --threads or --memory-limit: {error}") from error
        self._connection.execute("set TimeZone = 'UTC'")
        for schema in SCHEMAS:
            self._connection.execute(f"create schema {schema}")
        self._connection.execute(functions)

    def close(self) -> None:
        self._connection.close()

    def bind(self, name: str, files: Sequence[str], schema: pa.Schema, where: str = "", *, with_names: bool = False) -> None:
        """Makes `name` a view on these Parquet files; without files, an empty one with the columns of `schema`.

        with_names: with a column `filename` more
        """
        self._bound[name] = tuple(files)
        try:
            self.execute(f"create or replace view {name} as {_selection(schema, files, where, with_names)}")
        except DamageError:
            if name not in NOTES:
                raise
            self.execute(f"create or replace view {name} as {_lost(name, schema)}")

    def bind_arrow(self, name: str, table: pa.Table) -> None:
        """Makes `name` a view on an Arrow table, which is kept alive with the connection."""
        key = "arrow_" + name.replace(".", "_")
        self._connection.register(key, table)
        self.execute(f"create or replace view {name} as select * from {key}")

    def define(self, name: str, sql: str) -> None:
        """Makes `name` a view on a query."""
        if self.has_table(name):
            self.execute(f"drop table {name}")
        self.execute(f"create or replace view {name} as {sql}")

    def materialise(self, name: str, sql: str) -> None:
        """Runs a query once and keeps its result, which may spill to disk, as the table `name`."""
        self.execute(f"create or replace table {name} as {sql}")

    def execute(self, sql: str) -> None:
        with self._explained(sql):
            self._connection.execute(sql)

    def write_parquet(self, sql: str, folder: Path) -> list[ParquetFile]:
        """Writes the result of a query to new Parquet files in a folder, one or more per thread; empty ones are not kept."""
        options = "format parquet, compression zstd, row_group_size 16384, per_thread_output, append, return_stats"
        copy = f"copy ({sql}) to {quoted(str(folder))} ({options}, filename_pattern 'part-{{uuid}}')"
        with self._explained(sql):
            written = self._connection.execute(copy).fetchall()
        files = [ParquetFile(Path(name), int(rows), int(size)) for name, rows, size, *_ in written]
        for file in files:
            if not file.rows:
                file.path.unlink(missing_ok=True)
        return [file for file in files if file.rows]

    @contextmanager
    def stream(self, sql: str) -> Iterator[pa.RecordBatchReader]:
        """Yields the result of a query as batches. Only one stream may be open at a time."""
        with self._explained(sql):
            yield self._connection.execute(sql).to_arrow_reader(ROWS_PER_BATCH)

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        with self._explained(sql):
            return self._connection.execute(sql, parameters).to_arrow_table()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Returns the result of a query as one dict a row."""
        rows: list[dict[str, Any]] = self.arrow(sql, parameters).to_pylist()
        return rows

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Returns the first column of the first row."""
        (row,) = self.rows(sql, parameters)
        return next(iter(row.values()))

    def files_with(self, files: Sequence[str], condition: str) -> list[str]:
        """Returns those of some Parquet files that hold a row for which the condition is true."""
        if not files:
            return []
        listed = ", ".join(map(quoted, files))
        rows = self.rows(f"select distinct filename from read_parquet([{listed}], filename = true) where {condition}")
        return sorted(row["filename"] for row in rows)

    def refuse_all_but_select(self, query: str) -> None:
        """Raises UsageError unless the text is one statement that only reads."""
        try:
            query.encode()
            statements = self._connection.extract_statements(query)
            kinds = [statement.type for statement in statements]
            # `explain analyze` runs what it explains.
            while len(statements) == 1 and kinds[-1] == duckdb.StatementType.EXPLAIN:
                statements = self._connection.extract_statements(_explained_part(statements[0].query))
                kinds += [statement.type for statement in statements]
        except (duckdb.Error, UnicodeEncodeError) as error:
            raise UsageError(f"not valid SQL: {error}") from None
        if len(statements) != 1 or any(kind not in _READING for kind in kinds):
            raise UsageError("the warehouse is read-only here: give one select (or explain, describe, show, summarize)")

    def printable(self, query: str) -> tuple[str, list[PrintedColumn]]:
        """Returns a select whose every value is a number, a truth value or a text, and what its columns are.

        Numbers beyond 64 bits and nested values are texts of JSON. The select's own columns are c0, c1...: names may repeat.
        """
        (statement,) = self._connection.extract_statements(query)
        if statement.type == duckdb.StatementType.EXPLAIN:
            return query, [PrintedColumn(name) for name in ("explain_key", "explain_value")]
        inner = _without_end(statement.query)
        with _explained(query):
            relation = self._connection.query(f"from (\n{inner}\n)")
        columns = list(zip(relation.columns, relation.types, strict=True))
        values = ", ".join(f"{_printed(f'c{number}', kind)} as c{number}" for number, (_, kind) in enumerate(columns))
        places = ", ".join(f"c{number}" for number in range(len(columns)))
        select = f"select {values} from (\n{inner}\n) as found({places})"
        return select, [PrintedColumn(name, is_json=_is_json(kind)) for name, kind in columns]

    def has_table(self, name: str) -> bool:
        schema, table = name.split(".")
        found = self._connection.execute(
            "select count(*) from duckdb_tables() where schema_name = ? and table_name = ?", [schema, table]
        ).fetchone()
        return bool(found and found[0])

    @contextmanager
    def _explained(self, sql: str) -> Iterator[None]:
        try:
            with _explained(sql):
                yield
        except DamageError as error:
            name, file = self._damaged_file()
            said = str(error).replace(WAY_OUT, NOT_NEEDED) if name in NOTES else str(error)
            raise DamageError(f"{file}: {said}") from error

    def _damaged_file(self) -> tuple[str, str]:
        """Returns the first Parquet file behind the views that can't be read, and the view."""
        files = [(name, file) for name in sorted(self._bound, key=NOTES.__contains__) for file in self._bound[name]]
        for name, file in files:
            try:
                self._connection.execute(f"select sum(hash(t)) from read_parquet([{quoted(file)}]) as t").fetchall()
            except duckdb.Error:
                return name, file
        return "", "a file of the warehouse"


# What DuckDB says, under several classes of error, of a Parquet file that is not whole.
_DAMAGE = (
    "magic bytes",
    "TType",
    "TProtocolException",
    "Parquet",
    "parquet",
    "ZSTD",
    "decompress",
    "Out of buffer",
    "Failed to commit",
)


@contextmanager
def _explained(sql: str) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise WarehouseError(f"DuckDB ran out of memory: {error}; raise --memory-limit or free disk for spilling") from error
    except duckdb.IOException as error:
        if is_of_surroundings(error):
            raise WarehouseError(f"a file of the warehouse can't be read or written: {explained(error)}") from error
        raise DamageError(f"can't be read: {explained(error)}") from error
    except duckdb.Error as error:
        # Decoders of Parquet raise the bare class; a mistake in SQL never does.
        refused = isinstance(error, duckdb.BinderException | duckdb.ParserException | duckdb.CatalogException)
        if type(error) is duckdb.Error or (not refused and any(sign in str(error) for sign in _DAMAGE)):
            raise DamageError(f"is damaged or can't be written: {explained(error)}") from error
        raise ModelError(f"DuckDB refused the SQL: {error}\n{sql[:2000]}") from error


def table_schemas(declarations: Mapping[str, str]) -> dict[str, pa.Schema]:
    """Returns the Arrow schema of each `create table` statement, by the table's name."""
    connection = duckdb.connect()
    try:
        connection.execute("set TimeZone = 'UTC'")
        return {name: _table_schema(connection, name, ddl) for name, ddl in declarations.items()}
    finally:
        connection.close()


def _table_schema(connection: duckdb.DuckDBPyConnection, name: str, ddl: str) -> pa.Schema:
    try:
        connection.execute(f"create schema if not exists {name.split('.')[0]}")
        connection.execute(ddl)
        schema: pa.Schema = connection.execute(f"select * from {name}").to_arrow_table().schema
        rows = connection.execute(f"describe {name}").fetchall()
    except duckdb.Error as error:
        raise ModelError(f"the table {name} is not declared right: {error}") from error
    required = {row[0] for row in rows if row[2] == "NO"}
    return pa.schema([field.with_nullable(field.name not in required) for field in schema])


def write_views(path: Path, views: Mapping[str, tuple[pa.Schema, Sequence[str], Mapping[str, str]]]) -> None:
    """Writes a DuckDB file with one view per table: name -> (columns, Parquet files, comments by column; "" = the table's).

    The file is replaced as a whole, so a reader has either the old views or the new ones.
    """
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with _explained(f"the catalog {path}"):
        _write_views(draft, views)
        draft.replace(path)


def _write_views(draft: Path, views: Mapping[str, tuple[pa.Schema, Sequence[str], Mapping[str, str]]]) -> None:
    connection = duckdb.connect(str(draft))
    try:
        for name, (schema, files, comments) in views.items():
            connection.execute(f"create schema if not exists {name.split('.')[0]}")
            try:
                connection.execute(f"create view {name} as {_selection(schema, files)}")
            except duckdb.Error:
                if name not in NOTES:
                    raise
                connection.execute(f"create view {name} as {_lost(name, schema)}")
            for column, comment in comments.items():
                kind, target = ("column", f'{name}."{column}"') if column else ("view", name)
                connection.execute(f"comment on {kind} {target} is {quoted(comment)}")
    finally:
        connection.close()


def _selection(schema: pa.Schema, files: Sequence[str], where: str = "", with_names: bool = False) -> str:
    if files:
        condition = f" where {where}" if where else ""
        listed, names = ", ".join(map(quoted, files)), ", filename" if with_names else ""
        return f"select {_columns(schema)}{names} from read_parquet([{listed}], filename = {with_names}){condition}"
    columns = ", ".join(f'cast(null as {_sql_type(f.type)}) as "{f.name}"' for f in schema)
    return f"select {columns}{', cast(null as varchar) as filename' if with_names else ''} where false"


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


def _explained_part(query: str) -> str:
    """Returns what an `explain` explains."""
    tokens = [start for start, _ in duckdb.tokenize(query)]
    words = [query[start:end].split(None, 1)[0].lower() for start, end in zip(tokens, [*tokens[1:], None], strict=True)]
    place = words.index("explain") + 1
    if words[place] == "(":
        place = words.index(")", place) + 1
    elif words[place] == "analyze":
        place += 1
    return query[tokens[place] :] if place < len(tokens) else ""


def _without_end(query: str) -> str:
    """Returns a statement without the semicolon that ends it."""
    ends = [start for start, _ in duckdb.tokenize(query) if query[start] == ";"]
    return query[: ends[-1]] if ends else query


def _is_json(kind: DuckDBPyType) -> bool:
    return kind.id in _NESTED or str(kind) == "JSON"


def _printed(value: str, kind: DuckDBPyType) -> str:
    if kind.id in _PLAIN:
        return value
    if kind.id == "float":
        return f"cast({value} as double)"
    text = f"cast({value} as varchar)"
    if _is_json(kind):
        return f"cast(to_json({value}) as varchar)"
    if kind.id == "timestamp with time zone":
        return f"replace(regexp_replace({text}, '\\+00$', 'Z'), ' ', 'T')"
    return f"replace({text}, ' ', 'T')" if kind.id.startswith("timestamp") else text


def quoted(text: str) -> str:
    """Returns a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f'"{name}"' for name in schema.names)
