"""A data folder and the two tables that its lines land in: landing alone, without the stages behind it."""

import gzip
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import zstandard

from pipeline.collect import landing
from pipeline.collect.landing import Landed, Load
from pipeline.engine import Engine
from pipeline.models.tables import load
from pipeline.settings import MAX_LINE, builtin_sql
from pipeline.store.delta import DeltaStore
from tests.conftest import RECORDED_AT

TABLES = {name: table for name, table in load([builtin_sql()]).items() if name in ("raw.lines", "raw.files")}


@dataclass
class Dock:
    """A data folder, and the two tables that its lines land in."""

    root: Path
    store: DeltaStore = field(init=False)
    loads: int = 0

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.store = DeltaStore(self.root / "warehouse", TABLES)
        self.store.create_missing()

    @property
    def data(self) -> Path:
        return self.root / "data"

    def put(self, name: str, content: bytes) -> Path:
        """Appends bytes to a file, packed as its name says."""
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            stream.write(packed(name, content))
        return path

    def land(self, at: datetime = RECORDED_AT, accept_rewrite: bool = False, max_line: int = MAX_LINE) -> Landed:
        self.loads += 1
        load = Load(f"load-{self.loads}", at, TABLES["raw.lines"].schema, accept_rewrite, max_line)
        engine = self.engine()
        try:
            return landing.land(self.data, self.store, engine, load)
        finally:
            engine.close()

    def engine(self) -> Engine:
        return Engine("select 1", spill=self.root / "spill")

    def rows(self, **columns: Any) -> list[dict[str, Any]]:
        """Returns raw.lines in order, or those rows that have these values."""
        engine = self.engine()
        engine.bind("raw.lines", self.store.read("raw.lines").files, TABLES["raw.lines"].schema)
        found = engine.rows("select * from raw.lines order by source_file, generation, line_offset")
        engine.close()
        return [row for row in found if all(row[name] == value for name, value in columns.items())]

    def places(self, **columns: Any) -> list[tuple[int, str]]:
        return [(row["line_offset"], row["line"]) for row in self.rows(**columns)]


def packed(name: str, content: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    return zstandard.ZstdCompressor().compress(content) if name.endswith(".zst") else content
