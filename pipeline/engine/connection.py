"""A connection in memory: what it binds, runs, writes and streams."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import duckdb
import pyarrow as pa

from pipeline import advice, keyboard
from pipeline.engine.exactness import exact, refuse_what_parquet_lacks
from pipeline.engine.literals import quoted
from pipeline.engine.printable import PrintedColumn, is_json, printable
from pipeline.engine.refusals import told
from pipeline.engine.statements import MACRO, refuse_all_but_select, refuse_side_effects
from pipeline.engine.views import NOTES, DeclaredView, create_view, write_views
from pipeline.errors import NOT_NEEDED, DamageError, ForeignError, ModelError, UsageError

ROWS_PER_BATCH = 8192
# What is written as Parquet is held in memory as far as this.
ROWS_PER_GROUP = 65536
# So many files of one result, if each is no larger, are put into one.
MANY_FILES = 2
SMALL_BYTES = 4 * 1024 * 1024
# What DuckDB works on at a time; it needs several times the size of these rows. Beyond so many bytes fewer are given to it.
ROWS_PER_VECTOR = 2048
MANY_BYTES = 128 * 1024 * 1024
SOME_BYTES = 64 * 1024 * 1024
# What a stream of Arrow is called while it is read.
_STREAM = "arrow_stream"


class ParquetFile(NamedTuple):
    """A file that was just written."""

    path: Path
    rows: int
    bytes: int


class Engine:
    """A DuckDB connection in memory. Text columns sort by code point, times are UTC."""

    def __init__(self, functions: str, *, threads: int | None = None, memory_limit: str = "2GB", spill: Path) -> None:
        self.spill = spill
        self._bound: dict[str, tuple[str, ...]] = {}
        self._views: dict[str, tuple[tuple[Any, ...], frozenset[str]]] = {}
        self._is_table: dict[str, bool] = {}
        self._schemas: set[str] = set()
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
        keyboard.on_interrupt(self, self._connection.interrupt)
        self._connection.execute("set TimeZone = 'UTC'")
        # A file that a table names is never written again, and hundreds of statements begin with reading its end.
        self._connection.execute("set parquet_metadata_cache = true")
        # Else rows of texts of many MB each would be gathered until there are 2048 of them, and written 16384 at a time.
        self._connection.execute("set enable_caching_operators = false")
        self._connection.execute("set preserve_insertion_order = false")
        self._functions = functions
        self._words: re.Pattern[str] | None = _words_of(functions)

    def close(self) -> None:
        keyboard.forget(self)
        self._connection.close()

    def lock(self) -> None:
        """From now on no file is opened but those behind the views, and no setting is changed: for SQL that is not ours."""
        files = ", ".join(quoted(file) for file in dict.fromkeys(chain.from_iterable(self._bound.values())))
        for setting in (
            f"allowed_paths = [{files}]",
            "python_enable_replacements = false",  # a name in the SQL is none of a variable of ours
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"set {setting}")

    def _knowing(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Returns the connection, with our functions once a statement names one: they take longer than many a statement."""
        if self._words is not None and self._words.search(sql):
            try:
                self._connection.execute(self._functions)
            except duckdb.Error as error:
                raise ModelError(f"sql/functions.sql, or the one below --sql: DuckDB refused it: {error}") from error
            self._words = None
        return self._connection

    def bind(
        self, name: str, files: Sequence[str], schema: pa.Schema, where: str = "", *, with_names: bool = False
    ) -> frozenset[str]:
        """Makes `name` a view on these Parquet files; without files, an empty one with the columns of `schema`.

        with_names: with a column `filename` more
        Returns the columns that the files lack, for they are older than the columns: these are null in the view.
        """
        asked = (tuple(files), schema, where, with_names)
        if name not in self._views or self._views[name][0] != asked:
            self._make_room(name)
            self._bound[name] = tuple(files)
            with self._explained(f"the view {name}"):
                lacking = create_view(self._knowing(where), name, schema, files, where, with_names)
            self._views[name] = asked, lacking
        return self._views[name][1]

    def _make_room(self, name: str, *, for_table: bool = False) -> None:
        """Something else is about to stand for a name. DuckDB puts no view in the place of a table, nor a table in a view's."""
        self._views.pop(name, None)
        if (schema := name.split(".")[0]) not in self._schemas:
            self.execute(f"create schema {schema}")
            self._schemas.add(schema)
        if self._is_table.get(name, for_table) != for_table:
            self.execute(f"drop {'view' if for_table else 'table'} if exists {name}")
        self._is_table[name] = for_table

    def bind_arrow(self, name: str, table: pa.Table, *, more: bool = False) -> None:
        """Makes `name` a table with the rows of an Arrow table; with `more`, adds them to those that it has."""
        if not more:
            self._make_room(name, for_table=True)
        # As a stream: for a table DuckDB loads a library for a fifth of a second, and forgets a Ctrl-C that comes meanwhile.
        self._connection.register(_STREAM, table.__arrow_c_stream__())
        try:
            self.execute(f"{f'insert into {name}' if more else f'create or replace table {name} as'} select * from {_STREAM}")
        finally:
            self._connection.unregister(_STREAM)

    def define(self, name: str, sql: str) -> None:
        """Makes `name` a view on a query."""
        self._make_room(name)
        self.execute(f"create or replace view {name} as {sql}")

    def materialise(self, name: str, sql: str) -> None:
        """Runs a query once and keeps its result, which may spill to disk, as the table `name`."""
        self._make_room(name, for_table=True)
        self.execute(f"create or replace table {name} as {sql}")

    def execute(self, sql: str) -> None:
        with self._explained(sql):
            self._knowing(sql).execute(sql)

    def write_parquet(self, sql: str, folder: Path) -> list[ParquetFile]:
        """Writes the result of a query to new Parquet files in a folder, one or more per thread; empty ones are not kept."""
        files = self._copied(sql, folder, "per_thread_output, append, filename_pattern 'part-{uuid}'")
        kept = [file for file in files if file.rows]
        # A union leaves files of each of its parts, and whoever reads the table opens all of them.
        small = [file for file in kept if file.bytes <= SMALL_BYTES]
        if len(small) > MANY_FILES:
            listed = ", ".join(quoted(str(file.path)) for file in small)
            one = self._copied(f"select * from read_parquet([{listed}])", folder / f"part-{uuid4()}.parquet")
            kept = [file for file in kept if file not in small] + one
        for file in set(files) - set(kept):
            file.path.unlink(missing_ok=True)
        return kept

    def _copied(self, sql: str, target: Path, *options: str) -> list[ParquetFile]:
        said = ", ".join(
            (
                f"format parquet, compression zstd, row_group_size 16384, row_group_size_bytes {SOME_BYTES}, return_stats",
                *options,
            )
        )
        with self._explained(sql):
            written = self._knowing(sql).execute(f"copy ({sql}) to {quoted(str(target))} ({said})").fetchall()
        return [ParquetFile(Path(name), int(rows), int(size)) for name, rows, size, *_ in written]

    @contextmanager
    def stream(self, sql: str, rows: int = ROWS_PER_BATCH) -> Iterator[pa.RecordBatchReader]:
        """Yields the result of a query as batches of so many rows. Only one stream may be open at a time."""
        with self._explained(sql):
            yield self._knowing(sql).execute(sql).to_arrow_reader(rows)

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        with self._explained(sql):
            return self._knowing(sql).execute(sql, parameters).to_arrow_table()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Returns the result of a query as one dict a row."""
        rows: list[dict[str, Any]] = self.arrow(sql, parameters).to_pylist()
        return rows

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Returns the first column of the first row."""
        (row,) = self.rows(sql, parameters)
        return next(iter(row.values()))

    def write_views(self, path: Path, views: Mapping[str, DeclaredView]) -> None:
        """Writes a DuckDB file with one view per table, in the place of the one that was there."""
        write_views(self._connection, path, views)

    def rows_in(self, files: Sequence[str]) -> dict[str, int]:
        """Returns how many rows Parquet files hold, by their names; reads only their ends."""
        if not files:
            return {}
        self._bound["run.counted"] = tuple(files)
        rows = self.rows("select file_name, num_rows from parquet_file_metadata(?)", [list(files)])
        return {row["file_name"]: int(row["num_rows"]) for row in rows}

    def unpacked_bytes(self, files: Sequence[str]) -> int:
        """Returns how many bytes Parquet files hold, unpacked; reads only their ends."""
        if not files:
            return 0
        self._bound["run.measured"] = tuple(files)
        return int(self.value("select sum(total_uncompressed_size) as n from parquet_metadata(?)", [list(files)]) or 0)

    def rows_at_once(self, name: str) -> int:
        """Returns how many rows of what is bound as `name` may be worked on at a time: fewer where their texts are long.

        A vector has 2048 rows, however long. What its rows can hold at most shows in the sizes of row groups.
        """
        if self._is_table.get(name, True) or not self._bound.get(name):
            return ROWS_PER_BATCH
        groups = self.rows(
            "select sum(total_uncompressed_size) as size, max(row_group_num_rows) as amount "
            "from parquet_metadata(?) group by file_name, row_group_id",
            [list(self._bound[name])],
        )
        held, room = 0, ROWS_PER_VECTOR
        for group in sorted(groups, key=lambda group: group["size"] / group["amount"], reverse=True):
            amount = min(room, group["amount"])
            held += int(group["size"] * amount / group["amount"])
            room -= amount
        return ROWS_PER_BATCH if held <= MANY_BYTES else max(1, (ROWS_PER_VECTOR - room) * SOME_BYTES // held)

    def files_with(self, files: Sequence[str], condition: str) -> list[str]:
        """Returns those of some Parquet files that hold a row for which the condition is true."""
        if not files:
            return []
        listed = ", ".join(map(quoted, files))
        rows = self.rows(f"select distinct filename from read_parquet([{listed}], filename = true) where {condition}")
        return sorted(row["filename"] for row in rows)

    def read(self, query: str) -> duckdb.DuckDBPyRelation:
        """Returns what a reader's own SQL selects, which is not run yet. Raises UsageError where it would do more than read.

        The engine must be locked.
        """
        connection = self._knowing(query)
        statement = refuse_all_but_select(connection, query)
        with self._explained(""):
            found = connection.query(statement.select)
            refuse_side_effects(connection, statement.select)
            return connection.query(statement.sql) if statement.explain else found

    @contextmanager
    def stream_printable(self, query: str) -> Iterator[tuple[list[PrintedColumn], pa.RecordBatchReader]]:
        """Yields the result of a reader's own SQL in batches whose every value is a number, a truth value or a text.

        Numbers beyond 64 bits and nested values are texts of JSON.
        """
        found = self.read(query)
        with self._explained(""):
            # By their places: names may repeat.
            values = (f"{printable(f'#{place}', kind)} as c{place}" for place, kind in enumerate(found.types, 1))
            columns = [PrintedColumn(name, is_json(kind)) for name, kind in zip(found.columns, found.types, strict=True)]
            yield columns, found.project(", ".join(values)).to_arrow_reader(ROWS_PER_BATCH)

    @contextmanager
    def stream_exact(self, query: str, *, for_parquet: bool = False) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        """Yields the result of a reader's own SQL in batches with the types that it has.

        Raises UsageError where Arrow, or Parquet, would hold other values than DuckDB.
        """
        found = self.read(query)
        if for_parquet:
            refuse_what_parquet_lacks(found.columns, found.types)
        with self._explained(""):
            reader = found.to_arrow_reader(ROWS_PER_GROUP if for_parquet else ROWS_PER_BATCH)
            yield reader.schema, exact(found.columns, found.types, reader)

    @contextmanager
    def _explained(self, sql: str) -> Iterator[None]:
        try:
            with told(sql):
                yield
        except DamageError as error:
            if (found := self._damaged_file()) is None:
                raise ForeignError(f"a file of the warehouse: {error}") from error.__cause__
            name, file = found
            said = str(error).replace(advice.way_out(), NOT_NEEDED) if name in NOTES else str(error)
            raise DamageError(f"{file}: {said}") from error

    def _damaged_file(self) -> tuple[str, str] | None:
        """Returns the first Parquet file behind the views that can't be read, and the view; None where all can."""
        files = [(name, file) for name in sorted(self._bound, key=NOTES.__contains__) for file in self._bound[name]]
        for name, file in files:
            try:
                self._connection.execute(f"select sum(hash(t)) from read_parquet([{quoted(file)}]) as t").fetchall()
            except duckdb.Error:
                return name, file
        return None


def _words_of(functions: str) -> re.Pattern[str]:
    """Returns what every statement says that needs one of these functions, or asks which there are."""
    # Of a text in which none is found nobody knows what it makes: it is run before anything is selected.
    names = "|".join(macro[1] for macro in MACRO.finditer(functions)) or "select"
    return re.compile(rf"\b({names})\b|_functions\b|\bpg_proc\b", re.IGNORECASE)
