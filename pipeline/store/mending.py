"""What nobody can read any more, set aside before a restore, which needs only what belongs to the state that it goes to.

Nothing is deleted: files get another ending.
"""

from pathlib import Path

from pipeline.engine import Engine, quoted
from pipeline.errors import WarehouseError
from pipeline.store.delta import DeltaStore
from pipeline.store.snapshots import LOGS


def set_aside_torn_commits(store: DeltaStore) -> list[str]:
    """Makes every table's log end in a commit that can be read. Returns what was lost with the others, for who reads."""
    for table in store.tables:
        store.set_aside_lost_checkpoints(table)
    torn = {table: path for table in store.tables if (path := store.set_aside_torn_commit(table)) is not None}
    return [f"{path}: can't be read, so {table} goes on from the version before" for table, path in torn.items()]


def take_out_lost_notes(store: DeltaStore, engine: Engine) -> list[str]:
    """Takes out of the tables that list the states, and what is known of them, the files that can't be read; returns which."""
    lost = {table: files for table in LOGS if (files := _unreadable(store, engine, table))}
    for table, files in lost.items():
        store.take_out(table, files)
    return [
        f"{', '.join(map(str, files))}: can't be read, so {table} goes on without its rows" for table, files in lost.items()
    ]


def _unreadable(store: DeltaStore, engine: Engine, table: str) -> list[Path]:
    lost = []
    for file in store.read(table).files:
        try:
            engine.rows(f"select sum(hash(t)) as hash from read_parquet([{quoted(file)}]) as t")
        except WarehouseError:
            lost.append(Path(file))
    return lost
