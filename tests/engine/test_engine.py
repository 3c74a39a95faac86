"""What stands for a name in an engine, and what files it leaves."""

from itertools import product
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.engine import Engine
from pipeline.engine.connection import MANY_FILES, SMALL_BYTES
from pipeline.errors import ModelError

COLUMNS = pa.schema([pa.field("n", pa.int64())])
WAYS = {
    "bind": lambda engine, n: engine.bind("run.one", [], COLUMNS),
    "bind_arrow": lambda engine, n: engine.bind_arrow("run.one", pa.table({"n": [n]})),
    "define": lambda engine, n: engine.define("run.one", f"select {n} as n"),
    "materialise": lambda engine, n: engine.materialise("run.one", f"select {n} as n"),
}


@pytest.mark.parametrize(("first", "second"), list(product(WAYS, WAYS)))
def test_whatever_stood_for_a_name_another_thing_may(engine: Engine, first: str, second: str) -> None:
    WAYS[first](engine, 1)
    WAYS[second](engine, 2)
    assert engine.rows("select n from run.one") == ([] if second == "bind" else [{"n": 2}])


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param([1] * 5, id="little"),
        pytest.param([400_000] * 3, id="much"),
        pytest.param([1, 400_000, *[2000] * 5], id="little and much"),
        pytest.param([0] * 4, id="nothing"),
    ],
)
def test_what_a_union_leaves_of_little_is_one_file(engine: Engine, tmp_path: Path, lengths: list[int]) -> None:
    """However many threads and parts it had; nothing else is left in the folder, and no row is lost."""
    parts = [
        f"select hash(a.n) as n, hash(hash(a.n)) as m from range({number * 1_000_000}, {number * 1_000_000 + length}) as a(n)"
        for number, length in enumerate(lengths)
    ]
    written = engine.write_parquet(" union all ".join(parts), tmp_path)
    assert {file.path for file in written} == set(tmp_path.iterdir())
    assert [file.bytes for file in written] == [file.path.stat().st_size for file in written]
    assert sum(file.rows for file in written) == sum(lengths)
    assert sum(file.bytes <= SMALL_BYTES for file in written) <= (1 if max(lengths) < 400_000 else MANY_FILES)
    engine.bind("run.one", [str(file.path) for file in written], COLUMNS)
    assert engine.value("select count(distinct n) as n from run.one") == sum(lengths)


NAMING = {
    "a call": "select filled('x') as n",
    "in capitals, over lines": "select FILLED\n(\n'x') as n",
    "in quotes": """select "filled"('x') as n""",
    "in a view": "select n from run.filling",
    "in a list of functions": "select function_name as n from duckdb_functions() where not internal",
    "in another list": "select proname as n from pg_proc where proname ilike 'fill_d'",
}


WRITTEN = ("create macro filled(t) as coalesce(t, 'none')", "CREATE OR REPLACE\nFUNCTION Filled (t) as coalesce(t, 'none')")


@pytest.mark.parametrize("functions", WRITTEN)
@pytest.mark.parametrize("sql", NAMING.values(), ids=NAMING)
def test_our_functions_are_there_for_whoever_names_one(tmp_path: Path, sql: str, functions: str) -> None:
    engine = Engine(functions, spill=tmp_path)
    try:
        if "filling" in sql:
            engine.define("run.filling", "select filled('x') as n")
        assert engine.value(sql).lower() in ("x", "filled")
    finally:
        engine.close()


def test_a_mistake_in_our_functions_is_told_as_often_as_it_matters(tmp_path: Path) -> None:
    engine = Engine("create macro filled(t) as t; create macro broken", spill=tmp_path)
    try:
        assert engine.value("select 1 as n") == 1
        for _ in range(2):
            with pytest.raises(ModelError, match=r"functions\.sql.* DuckDB refused it: Parser Error"):
                engine.value("select filled('x') as n")
    finally:
        engine.close()
