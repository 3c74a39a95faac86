"""The warehouse in one published state, and in all of them, asked for places: a file and a line of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.engine import Engine, quoted
from pipeline.errors import WarehouseError
from pipeline.reader import Warehouse
from pipeline.store.snapshots import Snapshot
from pipeline.trace.physical import Place

EXPORTS = ("rag", "sft", "preference")
PLACES = pa.schema(
    [("source", pa.string()), ("source_file", pa.string()), ("line_offset", pa.int64()), ("sig_hash", pa.string())]
)
WANTED = pa.schema([("id", pa.string())])
Row = dict[str, Any]


def place_of(row: Mapping[str, Any]) -> Place:
    """Returns the place that a row names."""
    return row["source_file"], row["line_offset"]


@dataclass(frozen=True)
class Opened:
    """A warehouse while it is read; `published` are all its snapshots, oldest first, at least one."""

    warehouse: Warehouse
    engine: Engine
    published: list[Snapshot]


@dataclass(frozen=True)
class State:
    """The tables as one snapshot holds them."""

    opened: Opened
    snapshot: Snapshot

    def __post_init__(self) -> None:
        self.opened.warehouse.bind(self.opened.engine, self.snapshot)

    def at(self, table: str) -> str:
        """Returns a table's name with its version, as people write it."""
        content = self.snapshot.tables.get(table)
        return table if content is None else f"{table}@{content.delta_version}"

    def name(self, asked: Iterable[str]) -> None:
        """Says which ids, hashes or runs are wanted."""
        self.opened.engine.bind_arrow("run.wanted", pa.table({"id": pa.array(sorted(set(asked)), pa.string())}, schema=WANTED))

    def stand_at(self, places: Iterable[Mapping[str, Any]]) -> None:
        """Says which places are traced."""
        distinct = {place_of(place): {name: place.get(name) for name in PLACES.names} for place in places}
        self.opened.engine.bind_arrow("run.places", pa.Table.from_pylist(list(distinct.values()), schema=PLACES))

    def ask(self, question: str) -> list[Row]:
        """Returns what a model of the room `trace` answers."""
        return self.opened.engine.rows(self.opened.warehouse.library[f"trace/{question}"].sql)

    def ask_by_place(self, question: str) -> dict[Place, list[Row]]:
        """Returns the same by place."""
        found: dict[Place, list[Row]] = defaultdict(list)
        for row in self.ask(question):
            found[place_of(row)].append(row)
        return found

    def released(self) -> list[Row]:
        """Returns the exported rows of this snapshot that came from the traced places."""
        for name in EXPORTS:
            bind_with_names(self.opened, name, self.opened.warehouse.files(f"exports.{name}", self.snapshot))
        return self.ask("released")


def bind_with_names(opened: Opened, export: str, files: Sequence[str]) -> None:
    """Makes `run.released_<export>` the ids and places of the rows in these files, each with its file."""
    columns = "id, provenance, rejected_provenance" if export == "preference" else "id, provenance"
    rows = f"select {columns}, '' as filename from exports.{export} where false"
    if files:
        rows = f"select {columns}, filename from read_parquet([{', '.join(map(quoted, files))}], filename = true)"
    opened.engine.define(f"run.released_{export}", rows)


class History:
    """All published states of a table at once: every file that any snapshot names is read once, however many name it."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._holders: dict[str, dict[str, list[Snapshot]]] = {}
        self.gone: set[str] = set()

    @cached_property
    def newest(self) -> Snapshot:
        return self._opened.published[-1]

    def generations(self) -> dict[str, int]:
        """Returns the newest generation of every file that is known by now."""
        opened, table = self._opened, "raw.files"
        opened.engine.bind(table, opened.warehouse.files(table, self.newest), opened.warehouse.store.tables[table].schema)
        rows = opened.engine.rows("select source_file, max(generation) as generation from raw.files group by source_file")
        return {row["source_file"]: row["generation"] for row in rows}

    def holders(self, table: str) -> dict[str, list[Snapshot]]:
        """Returns every file of a table that is still there, and the snapshots that it is a part of, oldest first."""
        if table not in self._holders:
            found: dict[str, list[Snapshot]] = defaultdict(list)
            for snapshot in self._opened.published:
                if table in snapshot.tables:
                    for file in self._files(table, snapshot):
                        found[file].append(snapshot)
            gone = {file for file in found if not Path(file).exists()}
            self.gone |= gone
            self._holders[table] = {file: held for file, held in found.items() if file not in gone}
        return self._holders[table]

    def last_with(self, table: str, condition: str, parameters: Sequence[Any]) -> Snapshot | None:
        """Returns the newest snapshot that can be read in which a table has a row for which the condition is true."""
        holders = self.holders(table)
        if not holders:
            return None
        listed = ", ".join(map(quoted, holders))
        query = f"select distinct filename from read_parquet([{listed}], filename = true) where {condition}"
        files = [row["filename"] for row in self._opened.engine.rows(query, parameters)]
        # Of a vacuumed snapshot only those files are left that others need, too.
        held = [snapshot for file in files for snapshot in holders[file] if not snapshot.vacuumed]
        return max(held, key=lambda snapshot: snapshot.snapshot, default=None)

    def notes(self) -> list[str]:
        """Says what could not be looked into."""
        count = len(self.gone)
        if not count:
            return []
        what = "1 file of earlier versions is" if count == 1 else f"{count} files of earlier versions are"
        return [f"{what} gone: what stood only there is not shown"]

    def _files(self, table: str, snapshot: Snapshot) -> tuple[str, ...]:
        try:
            return self._opened.warehouse.files(table, snapshot)
        except WarehouseError:
            # Its log was cleaned up, so nobody can tell which files it had.
            self.gone.add(f"{table}@{snapshot.tables[table].delta_version}")
            return ()
