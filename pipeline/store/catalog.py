"""warehouse/distillery.duckdb: views on the published tables that any DuckDB client opens."""

import errno
from pathlib import Path

from pipeline.engine import Engine
from pipeline.store.delta import DeltaStore
from pipeline.store.snapshots import LOGS, Snapshot

NAME = "distillery.duckdb"


def make_place(store: DeltaStore) -> None:
    """Makes sure that the catalog can be written."""
    for path in (store.root / NAME, store.root / f".{NAME}.draft"):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder where a file belongs", str(path))


def write(store: DeltaStore, engine: Engine, snapshot: Snapshot) -> Path:
    """Writes the catalog of a snapshot; whoever opened the file before keeps the tables of before."""
    views = {}
    for name, table in store.tables.items():
        version = store.own_version(name) if name in LOGS else snapshot.tables[name].delta_version
        comments = {"": table.title, **{column.name: column.meaning for column in table.columns}}
        views[name] = (table.schema, store.read(name, version).files, comments)
    path = store.root / NAME
    engine.write_views(path, views)
    return path
