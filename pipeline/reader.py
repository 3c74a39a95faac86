"""The warehouse for readers: SQL, Arrow and polars, at the newest published run or any earlier one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline import advice, models
from pipeline.disk import temporary_folder
from pipeline.engine import Engine, PrintedColumn, gist, quoted, ran_out_of_memory
from pipeline.errors import ForeignError, ModelError, UsageError, WarehouseError
from pipeline.models.tables import Column, Table, is_chronicle
from pipeline.models.tables import load as load_tables
from pipeline.settings import Settings
from pipeline.store import readers, snapshots
from pipeline.store.delta import DeltaStore, must_exist
from pipeline.store.snapshots import LOGS, Snapshot

if TYPE_CHECKING:
    import polars


__all__ = ["PrintedColumn", "TableInfo", "Warehouse"]

# The run that was noted last is named by one of so many commits.
RECENT = 10


@dataclass(frozen=True)
class TableInfo:
    """A table as it was published: what it is, and how much of it there is."""

    name: str
    title: str
    grain: str
    version: int
    rows: int
    sha256: str | None
    run_id: str
    models: str
    columns: tuple[Column, ...]


class Warehouse:
    """Reads a warehouse; never writes. `as_of` is a run id, `latest`, `last-good`, `N runs ago` or a time."""

    def __init__(self, path: Path | str = "warehouse", *, sql: Path | str | None = None) -> None:
        self.path = Path(path)
        self._readings: dict[int, readers.Reading] = {}
        self.sql_folder = Path(sql) if sql is not None else None
        folders = Settings(sql=self.sql_folder).sql_folders()
        with advice.at(warehouse=self.path, sql=self.sql_folder):
            must_exist(self.path)
        self.library = models.load(folders)
        self.store = DeltaStore(self.path, load_tables(folders))

    def snapshots(self) -> list[Snapshot]:
        """Returns all published snapshots, oldest first."""
        with self.opened() as engine:
            return snapshots.read_all(self.store, engine)

    def snapshot(self, as_of: str | None = None) -> Snapshot:
        """Returns one snapshot, by default the newest."""
        with self.opened() as engine:
            return self.find(engine, as_of)

    def sql(self, query: str, as_of: str | None = None) -> pa.Table:
        """Returns the result of one select over the tables as they were published."""
        with self._locked(as_of) as engine, engine.stream_exact(query) as (schema, batches):
            return pa.Table.from_batches(batches, schema)

    @contextmanager
    def batches(self, query: str, as_of: str | None = None) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        """Yields the result of one select with its types, batch by batch, as a Parquet file can carry it."""
        with self._locked(as_of) as engine, engine.stream_exact(query, for_parquet=True) as found:
            yield found

    @contextmanager
    def printed(self, query: str, as_of: str | None = None) -> Iterator[tuple[list[PrintedColumn], pa.RecordBatchReader]]:
        """Yields the result of one select in a form that can be printed: its columns, and their values batch by batch."""
        with self._locked(as_of) as engine, engine.stream_printable(query) as found:
            yield found

    @contextmanager
    def _locked(self, as_of: str | None) -> Iterator[Engine]:
        """Yields an engine for SQL that is not ours: all that it can do is read the tables of a snapshot."""
        with self.opened() as engine:
            self.bind(engine, self.find(engine, as_of))
            engine.lock()
            with _asked():
                yield engine

    def versions(self, table: str) -> list[dict[str, Any]]:
        """Returns the versions of a table, newest first: when, how and by which run each was made and published."""
        self._known(table)
        published: dict[int, list[str]] = {}
        for snapshot in self.snapshots():
            if table in snapshot.tables:
                published.setdefault(snapshot.tables[table].delta_version, []).append(snapshot.run_id)
        return [
            {
                "version": commit["version"],
                "at": f"{datetime.fromtimestamp(commit['timestamp'] / 1000, UTC):%Y-%m-%d %H:%M:%S}",
                "operation": commit["operation"],
                "run_id": commit.get("run_id", ""),
                "models": commit.get("models", ""),
                "published by": ", ".join(published.get(commit["version"], ())),
            }
            for commit in self.store.history(table)
        ]

    def arrow(self, table: str, version: int | None = None, as_of: str | None = None) -> pa.Table:
        """Returns a table at a Delta version, or as a snapshot holds it."""
        self._known(table)
        if version is not None and version < 0:
            raise UsageError(f"{table} has no version {version}: versions count from 0")
        with self.opened() as engine:
            if version is None:
                version = self._version(self.find(engine, as_of), table)
            engine.bind(table, self.store.read(table, version).files, self.store.tables[table].schema)
            return engine.arrow(f"select * from {table}")

    def tables_of(self, *names: str, empty: bool = False) -> dict[str, pa.Table]:
        """Returns several tables as the newest snapshot holds them; with `empty`, no rows and the columns alone."""
        if empty:
            return {name: self.schema(name).empty_table() for name in names}
        with self.opened() as engine:
            self.bind(engine, self.find(engine, None))
            return {name: engine.arrow(f"select * from {name}") for name in names}

    def schema(self, table: str) -> pa.Schema:
        """Returns the columns of a table."""
        return self.store.tables[table].schema

    def polars(self, table: str, version: int | None = None, as_of: str | None = None) -> "polars.DataFrame":
        """Returns the same as a polars frame; needs the extra `distillery[polars]`."""
        try:
            import polars
        except ImportError:
            raise UsageError("polars is not installed; `pip install 'distillery[polars]'`, or use .arrow()") from None
        frame = polars.from_arrow(self.arrow(table, version, as_of))
        assert isinstance(frame, polars.DataFrame)
        return frame

    def tables(self, as_of: str | None = None) -> list[TableInfo]:
        """Returns what every table is, its version, its rows, and the models that made it."""
        with self.opened() as engine:
            snapshot = self.find(engine, as_of)
            self.bind(engine, snapshot)
            there = (snapshot.tables.keys() - set(LOGS)) | set(filter(self.store.exists, LOGS))
            return [self._info(engine, snapshot, table) for name, table in sorted(self.store.tables.items()) if name in there]

    def receipts(self, run_id: str) -> list[dict[str, Any]]:
        """Returns the receipts of a run, also of one that was not published."""
        if not run_id.isprintable():
            raise UsageError(f"{run_id!r} is no run id")
        with self.opened() as engine:
            self._bind_own(engine, "ops.receipts")
            if run_id == "latest" or "ago" in run_id:
                run_id = self.find(engine, run_id).made_by
            query = "select receipt from ops.receipts where run_id = ? order by started_at, ended_at"
            found = [json.loads(row["receipt"]) for row in engine.rows(query, [run_id])]
        if not found:
            raise UsageError(
                f"there are no receipts of a run {run_id}; "
                f"`{advice.command('sql', 'select run_id from ops.runs')}` lists the runs"
            )
        return found

    def drift(self, run_id: str) -> list[dict[str, Any]]:
        """Returns the counts that a run warned of: those that moved too far against the run before."""
        with self.opened() as engine:
            engine.bind("ops.drift", self.store.read("ops.drift").files, self.store.tables["ops.drift"].schema)
            return engine.rows(
                "select metric, before, after, pct_change, level, cause from ops.drift "
                f"where run_id = {quoted(run_id)} and level <> 'ok' order by metric"
            )

    def last_run(self) -> dict[str, Any] | None:
        """Returns the row of ops.runs that was committed last, published or not."""
        with self.opened() as engine:
            self._bind_own(engine, "ops.runs")
            own, commits = self.store.own_version("ops.runs"), self.store.history("ops.runs", RECENT)
            said = (commit["run_id"] for commit in commits if commit["version"] <= own and "run_id" in commit)
            rows = engine.rows("select run_id, overall_passed from ops.runs where run_id = ?", [next(said, None)])
            return rows[0] if rows else None

    def _bind_own(self, engine: Engine, table: str) -> None:
        """Binds a table as it is now, without what another tool added to it."""
        files = self.store.read(table, self.store.own_version(table)).files
        engine.bind(table, files, self.store.tables[table].schema)

    def _known(self, table: str) -> None:
        if table not in self.store.tables:
            raise UsageError(f"there is no table {table}; there are {', '.join(sorted(self.store.tables))}")

    def _info(self, engine: Engine, snapshot: Snapshot, table: Table) -> TableInfo:
        version = self._version(snapshot, table.name)
        version = version if version is not None else self.store.version(table.name)
        content = snapshot.tables.get(table.name)
        hashed = content is not None and not is_chronicle(table.name)
        said = self.store.said(table.name, version)
        return TableInfo(
            name=table.name,
            title=table.title,
            grain=table.grain,
            version=version,
            rows=content.rows
            if content is not None and hashed
            else int(engine.value(f"select count(*) as n from {table.name}")),
            sha256=content.sha256 if content is not None and hashed else None,
            run_id=said.get("run_id", ""),
            models=said.get("models", ""),
            columns=table.columns,
        )

    def find(self, engine: Engine, as_of: str | None) -> Snapshot:
        """Returns the published snapshot that a text names, by default the newest."""
        reading = self._readings[id(engine)]
        reading.looks()
        self.store.forget()  # a vacuum since the last look may have taken the state
        published = snapshots.read_all(self.store, engine)
        if not published:
            raise WarehouseError(f"{self.path}: nothing was published here yet; `{advice.command('run-all')}` does")
        found = snapshots.resolve(published, "latest" if as_of is None else as_of)
        reading.holds(found.snapshot)
        return found

    def bind(self, engine: Engine, snapshot: Snapshot) -> None:
        """Makes the tables those of a snapshot. Raises WarehouseError where one has not the rows that were published."""
        snapshots.verify_rows(self.store, engine, snapshot)
        for name, table in self.store.tables.items():
            # A table may be younger than the snapshot, or than the release that made the warehouse.
            there = self.store.exists(name) if name in LOGS else name in snapshot.tables
            files = self.store.read(name, self._version(snapshot, name)).files if there else ()
            engine.bind(name, files, table.schema)

    def files(self, table: str, snapshot: Snapshot) -> tuple[str, ...]:
        """Returns the Parquet files of a table as a snapshot holds it; none where the table is younger."""
        held = snapshot.tables.get(table)
        return self.store.read(table, held.delta_version).files if held is not None else ()

    def _version(self, snapshot: Snapshot, table: str) -> int | None:
        if table in LOGS:
            return self.store.own_version(table)
        if table not in snapshot.tables:
            raise WarehouseError(f"run {snapshot.run_id} had no table {table} yet; name a later one with --as-of")
        return snapshot.tables[table].delta_version

    @contextmanager
    def opened(self) -> Iterator[Engine]:
        """Yields an engine; what the warehouse holds by now is looked up anew."""
        at = advice.at(warehouse=self.path, sql=self.sql_folder)
        with at, readers.reading(self.path) as reading, temporary_folder("distill-") as spill:
            self.store.forget()
            engine = Engine(self.library.functions.sql, spill=spill)
            self._readings[id(engine)] = reading
            try:
                yield engine
            finally:
                del self._readings[id(engine)]
                engine.close()


@contextmanager
def _asked() -> Iterator[None]:
    """What is wrong with a reader's own SQL, or with a file that it names, is theirs to mend, and no damage."""
    try:
        yield
    except ForeignError as error:
        raise UsageError(f"DuckDB refused the SQL: {gist(error.__cause__)}") from error
    except ModelError as error:
        raise UsageError(gist(error)) from error
    except WarehouseError as error:
        if not ran_out_of_memory(error.__cause__):
            raise
        raise WarehouseError(
            f"the query needs more memory than there is: {gist(error.__cause__)}; select less at once"
        ) from error
