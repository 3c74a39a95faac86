"""What all stages of one run share."""

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pipeline.disk import Stamps
from pipeline.engine import Engine, quoted
from pipeline.errors import ModelError
from pipeline.models import Library
from pipeline.models.compile import Compiled
from pipeline.reports.receipts import Receipt
from pipeline.settings import Settings
from pipeline.store.contents import Content, content_of, remember
from pipeline.store.delta import DeltaStore, Version
from pipeline.store.snapshots import ExportFile, Snapshot
from pipeline.store.writing import commit_checked


class Reporter(Protocol):
    """Whoever watches a run."""

    def stage(self, name: str) -> None: ...

    def advance(self, amount: int) -> None: ...

    def done(self, receipt: Receipt) -> None: ...


class Drafting(NamedTuple):
    """Work on a drafted file that goes on while the run does other things.

    hashing: its sha256; where it is put together from lines that were published, it is written and read back on the way
    saving:  bringing it to the disk
    """

    hashing: Future[str]
    saving: Future[None]


@dataclass
class Run:
    """One run: where it works, since when, and what was published before it.

    drafting: of files that were drafted, the work that still goes on
    stamps, table_stamps: how export files and those of tables looked when they were last hashed
    findings: what another tool wrote, in words
    since: the version of every table when this run began to write
    pages_since: when pages began to be drafted by the file system's time, in ns
    lost: of a restore, what had to be set aside because nobody can read it
    """

    settings: Settings
    library: Library
    store: DeltaStore
    engine: Engine
    run_id: str
    started_at: datetime
    recorded_at: datetime
    before: Snapshot | None
    reporter: Reporter
    state: dict[str, Any] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    files: dict[str, ExportFile] = field(default_factory=dict)
    drafting: dict[str, Drafting] = field(default_factory=dict)
    pages_since: int = 0
    lost: tuple[str, ...] = ()
    digests: dict[str, dict[str, str]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    stamps: Stamps = field(default_factory=lambda: Stamps(Path()))
    table_stamps: Stamps = field(default_factory=lambda: Stamps(Path()))
    findings: list[str] = field(default_factory=list)
    since: dict[str, int] = field(default_factory=dict)

    def table_before(self, table: str) -> Version | None:
        """Returns a table as it was published last."""
        content = self.before.tables.get(table) if self.before is not None else None
        return self.store.read(table, content.delta_version) if content is not None else None

    def bind(self, name: str, version: Version | None, where: str = "", files: tuple[str, ...] | None = None) -> None:
        """Makes `name` a view on a table at a version, or on some of its files; on nothing where there is no version."""
        table = version.table if version is not None else name
        listed = files if files is not None else version.files if version is not None else ()
        self.engine.bind(name, listed, self.store.tables[table].schema, where)

    def bind_now(self, *tables: str) -> None:
        for table in tables:
            self.bind(table, self.store.read(table))

    def content(self, table: str) -> Content:
        """Returns what a table holds now; hashes only what changed since it was published last."""
        version = self.store.version(table)
        held = self.contents.get(table)
        if held is None or held.delta_version != version:
            base = held or (self.before.tables.get(table) if self.before is not None else None)
            held, new = content_of(self.store, self.engine, self.store.tables[table], version, base)
            self.digests.setdefault(table, {}).update(new)
            remember(self.store, self.table_stamps, table, new)
            self.contents[table] = held
        return held

    def part(self, table: str, export: str) -> Content:
        """Returns what the rows of one export in a table hold now; hashes only what changed since it was asked last."""
        parts = self.state.setdefault("parts", {})
        held = parts.get(f"{table}/{export}")
        before = Content(held["delta_version"], held["rows"], int(held["total"], 16)) if held is not None else None
        version, where = self.store.version(table), f"export = {quoted(export)}"
        now, _ = content_of(self.store, self.engine, self.store.tables[table], version, before, where)
        parts[f"{table}/{export}"] = {"delta_version": now.delta_version, "rows": now.rows, "total": f"{now.total:x}"}
        return now

    def bring_parts_up(self) -> None:
        """Makes the newest versions those that parts of tables are compared with next: no other need be kept for it."""
        for name in self.state.get("parts", {}):
            self.part(*name.split("/"))

    def write(self, table: str, sql: str, metadata: dict[str, str], *, replace: bool) -> None:
        """Writes the result of a query to a table, after its declared checks held for every row."""
        declared = self.store.tables[table]
        columns = ", ".join(f'"{name}"' for name in declared.schema.names)
        files = self.engine.write_parquet(f"select {columns} from ({sql})", self.store.path(table))
        commit_checked(self.store, self.engine, table, files, metadata, replace=replace)

    def try_models(self, models: Iterable[Compiled]) -> None:
        """Binds every model once, so that a mistake shows although its stream may have no lines. Names the file."""
        for model in models:
            sql = model.sql
            try:
                self.engine.define("run.trial", sql)
            except ModelError as error:
                raise ModelError(f"{model.path}: {error}") from error

    def metadata(self, models: Mapping[str, str]) -> dict[str, str]:
        """Returns what a commit says of itself: the run, and the models with version and fingerprint."""
        return {"run_id": self.run_id, "models": " ".join(f"{name}={mark}" for name, mark in sorted(models.items()))}

    def count_by(self, sql: str) -> Counter[str]:
        """Returns the counts of a query with the columns `key` and `amount`."""
        return Counter({row["key"]: int(row["amount"] or 0) for row in self.engine.rows(sql)})

    def sources_in(self, table: str) -> set[str]:
        """Returns the streams that a bound table has rows of."""
        return {row["source"] for row in self.engine.rows(f"select distinct source from {table}")}
