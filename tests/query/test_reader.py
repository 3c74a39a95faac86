"""The warehouse without the command: Arrow and polars at any version, and the catalog that any DuckDB opens."""

from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pytest

from pipeline import Warehouse
from pipeline.errors import UsageError, WarehouseError
from tests.conftest import Workspace
from tests.support.killing import review


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two runs: four reviews, then two more."""
    workspace = Workspace(tmp_path_factory.mktemp("published"))
    for numbers in (range(4), range(4, 6)):
        workspace.write("scrum_reviews.jsonl", [review(n) for n in numbers])
        workspace.passed()
    return workspace


def test_arrow(published: Workspace) -> None:
    warehouse = Warehouse(published.settings.warehouse)
    table = warehouse.arrow("evidence.records")
    assert isinstance(table, pa.Table) and table.num_rows == 6
    assert warehouse.arrow("evidence.records", as_of="1 runs ago").num_rows == 4
    first, second = warehouse.snapshots()
    assert warehouse.arrow("evidence.records", version=first.tables["evidence.records"].delta_version).num_rows == 4
    assert warehouse.arrow("evidence.records", version=second.tables["evidence.records"].delta_version).num_rows == 6
    assert str(table.schema.field("occurred_at").type) == "timestamp[us, tz=UTC]"


def test_version_0_is_a_version(published: Workspace) -> None:
    """The table as it was made: all its columns, and no row."""
    warehouse = Warehouse(published.settings.warehouse)
    for name in ("raw.lines", "evidence.records", "exports.rag", "ops.runs"):
        empty, full = warehouse.arrow(name, version=0), warehouse.arrow(name)
        assert (empty.num_rows, empty.schema.names) == (0, full.schema.names)
        assert empty.schema.types == full.schema.types
        assert warehouse.polars(name, version=0).shape == (0, full.num_columns)


def test_polars(published: Workspace) -> None:
    warehouse = Warehouse(str(published.settings.warehouse))
    frame = warehouse.polars("scored.runs")
    assert isinstance(frame, polars.DataFrame) and frame.height == 6
    assert set(frame["category"]) == {"accepted", "partially_accepted", "rejected"}
    assert warehouse.polars("scored.runs", as_of="1 runs ago").height == 4


def test_sql(published: Workspace) -> None:
    warehouse = Warehouse(published.settings.warehouse)
    query = "select category, count(*) as n from scored.runs group by category order by category"
    assert warehouse.sql(query).to_pylist() == [
        {"category": "accepted", "n": 2},
        {"category": "partially_accepted", "n": 2},
        {"category": "rejected", "n": 2},
    ]
    assert warehouse.sql("select count(*) as n from scored.runs", "1 runs ago").to_pylist() == [{"n": 4}]
    assert warehouse.sql("select count(*) as n from scored.runs", as_of="last-good").to_pylist() == [{"n": 6}]


def test_wrong_questions(published: Workspace, tmp_path: Path) -> None:
    warehouse = Warehouse(published.settings.warehouse)
    with pytest.raises(UsageError, match=r"raw\.lines"):
        warehouse.arrow("raw.nothing")
    for version in (99, -1, 2**40):
        with pytest.raises((UsageError, WarehouseError), match=r"raw\.lines"):
            warehouse.arrow("raw.lines", version=version)
    with pytest.raises(UsageError, match="read-only"):
        warehouse.sql("drop view raw.lines")
    with pytest.raises(UsageError, match="nobody"):
        warehouse.arrow("raw.lines", as_of="nobody")
    with pytest.raises(WarehouseError, match="run-all"):
        Warehouse(tmp_path / "nowhere")


def test_the_catalog_opens_in_any_duckdb(published: Workspace) -> None:
    """It holds what is published now, and says what everything means."""
    warehouse = published.warehouse
    with duckdb.connect(str(published.settings.warehouse / "distillery.duckdb"), read_only=True) as catalog:
        views = catalog.execute(
            "select schema_name || '.' || view_name, comment from duckdb_views() where not internal"
        ).fetchall()
        tables = {table.name: table for table in warehouse.tables()}
        assert dict(views) == {name: table.title for name, table in tables.items()}
        columns = catalog.execute(
            "select schema_name || '.' || table_name, column_name, comment from duckdb_columns() where not internal"
        ).fetchall()
        assert set(columns) == {(t.name, column.name, column.meaning) for t in tables.values() for column in t.columns}
        for name, table in tables.items():
            assert catalog.execute(f"select count(*) from {name}").fetchone() == (table.rows,), name
            assert catalog.execute(f"select * from {name}").to_arrow_table().schema.names == [c.name for c in table.columns]


def test_an_open_catalog_is_not_pulled_away(workspace: Workspace) -> None:
    """Who opened it before a run reads the tables of before, for as long as it stays open."""
    workspace.write("scrum_reviews.jsonl", [review(n) for n in range(4)])
    workspace.passed()
    with duckdb.connect(str(workspace.settings.warehouse / "distillery.duckdb"), read_only=True) as catalog:
        count = "select count(*) from evidence.records"
        assert catalog.execute(count).fetchone() == (4,)
        workspace.write("scrum_reviews.jsonl", [review(n) for n in range(4, 6)])
        workspace.passed()
        assert catalog.execute(count).fetchone() == (4,)
    with duckdb.connect(str(workspace.settings.warehouse / "distillery.duckdb"), read_only=True) as catalog:
        assert catalog.execute(count).fetchone() == (6,)


def test_our_functions_are_made_for_who_names_one(published: Workspace, tmp_path: Path) -> None:
    """Making them takes longer than most answers: here nobody finds out that they are broken, until somebody needs one."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql/functions.sql").write_text("-- Broken.\n-- version: 1\ncreate macro texts(t) as t; create macro broken")
    warehouse = Warehouse(published.settings.warehouse, sql=tmp_path / "sql")
    assert warehouse.sql("select count(*) as n from exports.rag").num_rows == 1
    with pytest.raises(UsageError, match=r"functions\.sql"):
        warehouse.sql("select texts('x') as n")
