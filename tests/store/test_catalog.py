"""The catalog in a DuckDB client without our code: wherever its warehouse is moved to, and wherever the client stands."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipeline.reader import Warehouse
from tests.conftest import Workspace
from tests.support.rows import review

CATALOG = "distillery.duckdb"
COUNT = "select count(*) from {}scored.runs"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Workspace(tmp_path_factory.mktemp("made"))
    for n in range(3):
        workspace.write("observer_reviews.jsonl", [review(f"t{n}", "accept", f"note {n}", n)])
        workspace.passed()
    return workspace.settings.warehouse


@pytest.fixture
def moved(made: Path, tmp_path: Path) -> Iterator[Path]:
    """A warehouse that is no longer where it was made."""
    away = tmp_path / "where it's now é"
    shutil.copytree(made, away)
    made.rename(made.with_name("gone"))
    yield away
    made.with_name("gone").rename(made)


def counted(catalog: Path | str, name: str = "", **config: str) -> int:
    with duckdb.connect(str(catalog), read_only=True, config=dict(config)) as client:
        (amount,) = client.execute(COUNT.format(name)).fetchall()[0]
        return int(amount)


def test_a_moved_catalog_finds_its_tables(moved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From anywhere, by a full path or a relative one, through a link to its folder, and with every table."""
    assert counted(moved / CATALOG) == 3
    for standing in (moved, moved.parent, moved / "raw", Path("/")):
        monkeypatch.chdir(standing)
        assert counted(os.path.relpath(moved / CATALOG)) == 3
    link = moved.parent / "link"
    link.symlink_to(moved)
    assert counted(link / CATALOG) == 3
    with duckdb.connect(str(moved / CATALOG), read_only=True) as client:
        for schema, view in client.execute("select schema_name, view_name from duckdb_views() where not internal").fetchall():
            client.execute(f"select * from {schema}.{view}").to_arrow_table()


def test_a_catalog_that_was_not_moved_can_be_used_in_every_way(made: Path, tmp_path: Path) -> None:
    """Attached to another database, under another name, with temporary files elsewhere: it knows where it was written."""
    assert counted(made / CATALOG, temp_directory=str(tmp_path)) == 3
    (tmp_path / "lake.duckdb").symlink_to(made / CATALOG)
    assert counted(tmp_path / "lake.duckdb") == 3
    with duckdb.connect() as client:
        client.execute(f"attach '{made / CATALOG}' as lake (read_only)")
        assert client.execute(COUNT.format("lake.")).fetchall() == [(3,)]


def test_a_moved_warehouse_is_read_by_its_own_command_without_the_catalog(moved: Path) -> None:
    (moved / CATALOG).unlink()
    assert Warehouse(moved).sql("select count(*) as n from scored.runs").to_pylist() == [{"n": 3}]
