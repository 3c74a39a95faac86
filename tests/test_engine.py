"""What stands for a name in an engine."""

from itertools import product

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
