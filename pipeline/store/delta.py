"""Delta: the one place that reads and writes tables. Every read names a version; every write says what it was made from."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction
from filelock import FileLock, Timeout

from pipeline import advice
from pipeline.engine import ROWS_PER_BATCH, ParquetFile
from pipeline.errors import DamageError, GateError, LockedError, WarehouseError, explained
from pipeline.models.tables import Table
from pipeline.store.marks import commit_info, is_marked, marked, may_be_old
from pipeline.store.upgrading import HOOKS, WRITER, fitted, has_more, writer

# delta-rs cleans up its log by age unless told otherwise; here every version must stay readable.
CONFIGURATION = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    # Who opens a table reads its newest checkpoint and every commit since.
    "delta.checkpointInterval": "10",
}
# What a commit says of itself that took lost files out of a table.
REPAIRED = "repaired"
TARGET_FILE_BYTES = 256 * 1024 * 1024
COMPACTED_FILE_BYTES = 16 * 1024 * 1024
# The ending of what was taken out of a table because nobody can read it.
DAMAGED = ".damaged"
UNUSABLE = frozenset("%\\[]^|*?#")


# So many commits are looked through for one of ours where nothing says where to stop.
_RECENT = 50


@dataclass(frozen=True)
class Foreign:
    """A commit that another tool made."""

    table: str
    version: int
    operation: str

    def __str__(self) -> str:
        return f"version {self.version} ({self.operation})"


@dataclass(frozen=True)
class Version:
    """One table at one version: its Parquet files, and what the commit said of itself."""

    table: str
    version: int
    files: tuple[str, ...]


class DeltaStore:
    """The Delta tables below one folder, `<room>/<table>`."""

    def __init__(self, root: Path, tables: Mapping[str, Table]) -> None:
        self.root = must_be_usable(root)
        self.tables = tables
        self._read: dict[tuple[str, int], Version] = {}
        self._newest: dict[str, int] = {}
        # Opened at the newest version: opening a table takes as long as many a statement.
        self._opened: dict[str, DeltaTable] = {}
        # Of each table the newest version that is ours, by the newest that there is.
        self._own: dict[str, dict[int, int]] = {}

    def path(self, table: str) -> Path:
        room, name = table.split(".")
        return self.root / room / name

    def exists(self, table: str) -> bool:
        return (self.path(table) / "_delta_log").is_dir()

    def create_missing(self) -> None:
        """Creates every declared table that is not there yet, with its checks."""
        for name, table in self.tables.items():
            path = str(self.path(name))
            with _explained(name, self.path(name)):
                if not DeltaTable.is_deltatable(path):
                    self.path(name).mkdir(parents=True, exist_ok=True)
                    DeltaTable.create(
                        path,
                        schema=table.schema,
                        mode="ignore",
                        configuration=CONFIGURATION,
                        description=table.title,
                        commit_properties=marked(),
                    )
                # A kill may have come between the table and its checks.
                if table.checks and self.last_in_log(name) == 0:
                    DeltaTable(path).alter.add_constraint(
                        table.checks, commit_properties=marked(), post_commithook_properties=HOOKS
                    )

    def first_version(self, table: str) -> int:
        """Returns the version of a table that was made and not written to yet."""
        return 1 if self.tables[table].checks else 0

    def foreign(self, table: str, since: int = 0) -> list[Foreign]:
        """Returns the commits of a table after version `since` that another tool made, oldest first.

        Releases before this one did not mark their commits: until one is marked, only what they can't have made counts.
        """
        newest, log = self.version(table), self.path(table) / "_delta_log"
        said = {version: commit_info(log, version) for version in range(max(since, newest - _RECENT), newest + 1)}
        first_marked = min((version for version, info in said.items() if info and is_marked(info)), default=newest + 1)
        return [
            Foreign(table, version, str(info.get("operation", "which does not say what it is")))
            for version, info in said.items()
            if version > since and info is not None and not is_marked(info) and (version > first_marked or not may_be_old(info))
        ]

    def own_version(self, table: str) -> int:
        """Returns the newest version of a table behind which nobody else wrote: what another tool added last is left out."""
        newest = self.version(table)
        said = commit_info(self.path(table) / "_delta_log", newest)
        if said is None or is_marked(said):
            return newest
        if newest not in self._own.setdefault(table, {}):
            found = {commit.version for commit in self.foreign(table)}
            self._own[table] = {newest: next(version for version in range(newest, -1, -1) if version not in found)}
        return self._own[table][newest]

    def forget(self) -> None:
        """Looks anew at what is newest, for who reads while others write."""
        self._newest.clear()
        self._opened.clear()

    def version(self, table: str) -> int:
        """Returns the newest committed version of a table, as this store knows it: there is one writer at a time."""
        if table not in self._newest:
            self.read(table)
        return self._newest[table]

    def identity(self, table: str) -> str:
        """Returns the id that Delta gave to a table when it was made; a table that was moved or copied keeps it."""
        with _explained(table, self.path(table)):
            opened = self._opened.get(table) or DeltaTable(str(self.path(table)))
            return str(opened.metadata().id)

    def read(self, table: str, version: int | None = None) -> Version:
        """Returns the files of a table at a version, by default the newest."""
        wanted = self._newest.get(table) if version is None else version
        if wanted is not None and (table, wanted) in self._read:
            return self._read[table, wanted]
        if version is not None and version > (last := self.last_in_log(table)):
            # delta-rs would look for every version up to this one.
            raise WarehouseError(f"{table} has no version {version}: its newest is {last}")
        with _explained(table, self.path(table)):
            opened = DeltaTable(str(self.path(table)), version=wanted)
            found = self._seen(table, opened)
        if wanted is None:
            self._newest[table], self._opened[table] = found.version, opened
        return found

    def _take(self, table: str) -> DeltaTable:
        """Returns a table to write to, which nobody else gets: after a commit that failed it is of no use."""
        opened = self._opened.pop(table, None)
        return opened if opened is not None else DeltaTable(str(self.path(table)))

    def _seen(self, table: str, opened: DeltaTable) -> Version:
        files = tuple(sorted(unquote(uri) for uri in opened.file_uris()))
        found = Version(table, int(opened.version()), files)
        self._read[table, found.version] = found
        return found

    def append(self, table: str, rows: pa.RecordBatchReader | pa.Table, metadata: Mapping[str, str]) -> int:
        """Adds rows in one commit and returns the new version."""
        return self._write(table, rows, metadata, "append", None)

    def replace(
        self,
        table: str,
        rows: pa.RecordBatchReader | pa.Table,
        metadata: Mapping[str, str],
        where: str | None = None,
        in_group: int = ROWS_PER_BATCH,
    ) -> int:
        """Puts rows in the place of all rows, or of those that match `where`, in one commit; returns the new version.

        in_group: how many rows may be read at a time, where that is less than usual
        """
        return self._write(
            table, rows, metadata, "overwrite", where, WRITER if in_group == ROWS_PER_BATCH else writer(in_group)
        )

    def commit(self, table: str, files: Sequence[ParquetFile], metadata: Mapping[str, str], *, replace: bool) -> int:
        """Makes files in a table's folder its rows, beside those it has or in their place; returns the new version.

        Delta's own checks see only what goes through `append` and `replace`: the caller vouches for these rows.
        """
        added: list[AddAction | RemoveAction] = [
            AddAction(
                path=file.path.name,
                size=file.bytes,
                partition_values={},
                modification_time=int(file.path.stat().st_mtime * 1000),
                data_change=True,
                stats=json.dumps({"numRecords": file.rows}),
            )
            for file in files
        ]
        with _explained(table, self.path(table)):
            opened = fitted(self._take(table), self.tables[table], anew=replace)
            opened.create_write_transaction(
                added,
                mode="overwrite" if replace else "append",
                schema=opened.schema(),
                commit_properties=marked(metadata),
                post_commithook_properties=HOOKS,
            )
        return self._moved(table, opened)

    def delete(self, table: str, where: str, metadata: Mapping[str, str]) -> None:
        """Takes the rows that match out of a table."""
        with _explained(table, self.path(table)):
            opened = self._take(table)
            opened.delete(
                where,
                writer_properties=WRITER,
                commit_properties=marked(metadata),
                post_commithook_properties=HOOKS,
            )
        self._moved(table, opened)

    def compact(self, table: str, metadata: Mapping[str, str]) -> None:
        """Puts the small files of a table together; its rows stay as they are."""
        with _explained(table, self.path(table)):
            opened = self._take(table)
            opened.optimize.compact(
                target_size=COMPACTED_FILE_BYTES,
                writer_properties=WRITER,
                commit_properties=marked(metadata),
                post_commithook_properties=HOOKS,
            )
        self._moved(table, opened)

    def restore(self, table: str, version: int, metadata: Mapping[str, str] | None = None) -> int:
        """Brings a table back to an earlier version, as a new version. Refuses where a file of that version is gone."""
        with _explained(table, self.path(table)):
            opened = self._take(table)
            if opened.version() != version:
                opened.restore(
                    version,
                    commit_properties=marked(metadata),
                    post_commithook_properties=HOOKS,
                )
        return self._moved(table, opened)

    def set_aside_torn_commit(self, table: str) -> Path | None:
        """Renames the newest file of a table's log where it is no JSON, so that the version before can be opened again."""
        path = self.path(table) / "_delta_log" / f"{self.last_in_log(table):020}.json"
        if not path.is_file() or _is_json(path.read_bytes()):
            return None
        path.rename(path.with_suffix(DAMAGED))
        return path

    def set_aside_lost_checkpoints(self, table: str) -> None:
        """Renames checkpoints that can't be read, and the note that names one which is not there: every commit is kept too."""
        log = self.path(table) / "_delta_log"
        hint = log / "_last_checkpoint"
        for path in log.glob("*.checkpoint*.parquet"):
            try:
                pq.read_table(path)
            except (OSError, pa.ArrowException):
                path.rename(path.with_suffix(DAMAGED))
        if hint.is_file() and not any(log.glob(f"{_version_in(hint):020}.checkpoint*.parquet")):
            hint.rename(hint.with_suffix(DAMAGED))

    def take_out(self, table: str, files: Sequence[Path]) -> None:
        """Takes files that are lost, or that nobody can read, out of the newest version of a table."""
        for path in files:
            if path.exists():
                path.rename(path.with_suffix(DAMAGED))
        with _explained(table, self.path(table)):
            opened = self._take(table)
            opened.repair(commit_properties=marked({REPAIRED: "true"}), post_commithook_properties=HOOKS)
        self._moved(table, opened)

    def unneeded(self, table: str, versions: Sequence[int]) -> list[Path]:
        """Returns the Parquet files in a table's folder that none of these versions reads.

        Delta also lists files that its log says were removed, and that are long gone.
        """
        with _explained(table, self.path(table)):
            names = DeltaTable(str(self.path(table))).vacuum(
                retention_hours=0, dry_run=True, enforce_retention_duration=False, full=True, keep_versions=list(versions)
            )
        needed = {Path(file) for version in versions for file in self.read(table, version).files}
        found = {self.path(table) / unquote(name) for name in names}
        return sorted(
            path for path in found - needed if path.suffix == ".parquet" and "_delta_log" not in path.parts and path.is_file()
        )

    def said(self, table: str, version: int) -> dict[str, str]:
        """Returns what the commit of a version said of itself: run id, models with version and fingerprint."""
        # A table that is opened at an earlier version counts its history wrong, so it is walked from the newest on.
        for commit in self.history(table, 1 + self.last_in_log(table) - version):
            if commit["version"] == version:
                return {name: str(commit[name]) for name in ("run_id", "models") if name in commit}
        return {}

    def history(self, table: str, limit: int | None = None) -> list[dict[str, Any]]:
        """Returns the commits of a table, newest first, with the metadata that they carry."""
        with _explained(table, self.path(table)):
            return DeltaTable(str(self.path(table))).history(limit)

    def _write(
        self,
        table: str,
        rows: pa.RecordBatchReader | pa.Table,
        metadata: Mapping[str, str],
        mode: Any,
        where: str | None,
        properties: WriterProperties = WRITER,
    ) -> int:
        with _explained(table, self.path(table)):
            anew = mode == "overwrite" and where is None
            opened = fitted(self._take(table), self.tables[table], anew=anew)
            write_deltalake(
                opened,
                rows,
                mode=mode,
                predicate=where,
                schema_mode="merge" if has_more(opened, self.tables[table]) else None,
                target_file_size=TARGET_FILE_BYTES,
                writer_properties=properties,
                commit_properties=marked(metadata),
                post_commithook_properties=HOOKS,
            )
        return self._moved(table, opened)

    def last_in_log(self, table: str) -> int:
        """Returns the newest version that the log of a table has a file of; -1 where it has none."""
        names = (path.stem for path in (self.path(table) / "_delta_log").glob("*.json"))
        return max((int(name) for name in names if name.isdigit()), default=-1)

    def _moved(self, table: str, opened: DeltaTable) -> int:
        """Returns the version that a commit through an opened table led to, and knows it as the newest."""
        with _explained(table, self.path(table)):
            opened.update_incremental()  # of some commits the table that they went through learns nothing
            self._newest[table], self._opened[table] = self._seen(table, opened).version, opened
        return self._newest[table]


def must_be_usable(root: Path) -> Path:
    """Returns the full path of a warehouse. Raises WarehouseError where Delta, which follows links, can't keep tables there.

    A link with such a name to a folder with a plain one is followed.
    """
    real = Path(os.path.realpath(root))
    if bad := _unusable(real):
        raise WarehouseError(
            f"{str(real)!r}: Delta can't keep tables below a path with {', '.join(map(repr, bad))}; next: rename that folder, "
            "or give the same command with --warehouse and another"
        )
    return real if _unusable(root.absolute()) else root.absolute()


def _unusable(path: Path) -> list[str]:
    return sorted(c for c in set(str(path)) if c in UNUSABLE or not c.isprintable())


def must_exist(root: Path) -> None:
    """Raises WarehouseError where there is no warehouse."""
    if not root.is_dir():
        raise nowhere(root)


def nowhere(root: Path) -> WarehouseError:
    """Returns the error that says that there is no warehouse."""
    return WarehouseError(f"{root}: there is no warehouse here; `{advice.command('run-all')}` makes one")


@contextmanager
def locked(root: Path, patience_seconds: float = 0) -> Iterator[None]:
    """Holds the warehouse for one writer. Raises LockedError where another holds it, at once or when patience is at its end."""
    must_exist(root)
    path = root / ".lock"
    lock = FileLock(path, timeout=patience_seconds)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(
            f"{root} is locked by another distill command; wait for it to end. "
            f"The lock ({path}) is let go when that process ends, however it ends: never delete it"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained(table: str, path: Path) -> Iterator[None]:
    try:
        yield
    except TableNotFoundError as error:
        raise WarehouseError(
            f"there is no table {table} in this warehouse yet; `{advice.command('run-all')}` makes it"
        ) from error
    except DeltaError as error:
        if "validation check" in str(error):
            raise GateError(f"a CHECK constraint of {table} refused rows; nothing was written: {error}") from error
        if "non-nullable field" in str(error):
            raise GateError(f"rows for {table} lack a value that sql/tables requires; nothing was written") from error
        raise _failure(table, path, error) from error
    except OSError as error:
        raise _failure(table, path, error) from error


def _failure(table: str, path: Path, error: Exception) -> WarehouseError:
    if (damaged := _damaged_in_log(path / "_delta_log")) is not None:
        return DamageError(f"{damaged}: is damaged or lost, so {table} can't be read: {explained(error)}")
    return WarehouseError(f"{path}: the table {table} can't be read or written: {explained(error)}")


def _damaged_in_log(folder: Path) -> Path | None:
    """Returns the first file of a table's log that can't be read, or that is missing between two others."""
    for number, path in enumerate(sorted(folder.glob("*.json")), 0):
        if path.name != (expected := f"{number:020}.json"):
            return folder / expected
        try:
            if not _is_json(path.read_bytes()):
                return path
        except OSError:
            return path
    return None


def _version_in(hint: Path) -> int:
    try:
        return int(json.loads(hint.read_bytes())["version"])
    except (OSError, ValueError, LookupError, TypeError):
        return -1


def _is_json(commit: bytes) -> bool:
    """True where every line of a commit is JSON, and there is one."""
    try:
        return bool([json.loads(line) for line in commit.splitlines()])
    except ValueError:
        return False
