"""What stands for a name in an engine, and what files it leaves."""

from itertools import product
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.engine import Engine

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


@pytest.mark.parametrize("length", [1, 200_000])
def test_a_union_of_little_leaves_one_file(engine: Engine, tmp_path: Path, length: int) -> None:
    """However many threads and parts it had; nothing else is left in the folder."""
    some = f"select hash(a.n) as n, hash(hash(a.n)) as m from range({length}) as a(n)"
    written = engine.write_parquet(" union all ".join([some] * 5), tmp_path)
    assert {file.path for file in written} == set(tmp_path.iterdir())
    assert sum(file.rows for file in written) == 5 * length
    assert (len(written) == 1) == (length == 1)
    engine.bind("run.one", [str(file.path) for file in written], COLUMNS)
    assert engine.value("select count(distinct n) as n from run.one") == length
