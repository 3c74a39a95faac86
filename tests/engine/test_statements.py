"""What only reads: DuckDB's own types of statements and its plans decide, whatever stands around a statement."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.statements import ReadStatement, refuse_all_but_select, refuse_side_effects
from pipeline.errors import UsageError

SELECT, EXPLAIN = duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN
READING = ("select 1", "select 'é; -- x' as \"ü\"", "from range(2)", "values (1)", "with a as (select 1) from a", "(select 1)")
WRITING = (
    *("copy (select 1) to 'x'", "create table x as select 1", "insert into t values (1)", "drop table t", "delete from t"),
    *("attach 'x'", "set threads = 1", "call pragma_version()", "checkpoint", "export database 'x'", "select 1; select 2"),
)
TEXTS = st.text(alphabet="aé漢😀 '\"$;*/-\\to explain select", max_size=30)
GAPS = st.one_of(
    st.sampled_from([" ", "\n", "\t "]),
    TEXTS.map(lambda text: f" --{text}\n".replace("\r", "")),
    TEXTS.filter(lambda text: "*/" not in text and "/*" not in text and not text.endswith(("*", "/"))).map(
        lambda text: f" /*{text}*/ "
    ),
)
EXPLAINING = st.sampled_from(["", "explain", "EXPLAIN analyze", "explain (analyze)", "Explain (format json)"])


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def types(connection: duckdb.DuckDBPyConnection, query: str) -> list[duckdb.StatementType] | None:
    try:
        return [statement.type for statement in connection.extract_statements(query)]
    except duckdb.Error:
        return None


def judged(connection: duckdb.DuckDBPyConnection, query: str) -> ReadStatement | None:
    try:
        return refuse_all_but_select(connection, query)
    except UsageError:
        return None


@given(before=GAPS, explain=EXPLAINING, between=GAPS, inner=st.sampled_from((*READING, *WRITING)), after=GAPS)
def test_the_verdict_is_that_of_duckdb(
    connection: duckdb.DuckDBPyConnection, before: str, explain: str, between: str, inner: str, after: str
) -> None:
    query = f"{before}{explain.replace(' ', between)}{between}{inner}{after}"
    found = judged(connection, query)
    reads = types(connection, inner) == [SELECT] and types(connection, query) in ([SELECT], [EXPLAIN])
    assert (found is not None) == reads, query
    if found is not None:
        # What is run is the whole of it: no condition at its end is lost, and nothing but a select is explained.
        assert types(connection, found.select) == [SELECT]
        assert types(connection, found.sql) == types(connection, query)
        plain = connection.execute(f"{before}{inner}{after}").fetchall()
        assert connection.execute(found.select).fetchall() == plain


@given(TEXTS, TEXTS)
def test_no_text_passes_that_is_no_select(connection: duckdb.DuckDBPyConnection, before: str, after: str) -> None:
    query = f"{before} explain analyze copy (select 1) to 'x' {after}"
    found = judged(connection, query)
    if found is not None:
        assert types(connection, found.select) == [SELECT]
        assert types(connection, found.sql) in ([SELECT], [EXPLAIN])


# Every other table function of DuckDB only reads, or can't be called from SQL.
WITH_EFFECTS = {
    "checkpoint": "",
    "disable_logging": "",
    "disable_profiling": "",
    "enable_logging": "",
    "enable_profiling": "",
    "force_checkpoint": "",
    "json_execute_serialized_sql": "json_serialize_sql('select 1')",
    "truncate_duckdb_logs": "",
}
SHAPES = (
    "select * from {}",
    'select * from system.main."{}"',
    "select (select count(*) from {})",
    "select 1 where exists (from {})",
    "with x as materialized (select * from {}) select * from x, x as y",
    "from range(3) as t(i), {}",
    "select 1 union all select 1 from {}",
    "from query('from {}')",
    "summarize from {}",
)


@pytest.mark.parametrize("name", WITH_EFFECTS)
def test_functions_with_effects_are_found_in_the_plan(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    for shape in SHAPES:
        called = f"{name}({WITH_EFFECTS[name]})".replace("'", "''" if "query(" in shape else "'")
        query = shape.replace('"{}"', f'"{name.upper()}"({WITH_EFFECTS[name]})').replace("{}", called)
        with pytest.raises(UsageError, match=rf"{name}\(\) does more than read"):
            refuse_side_effects(connection, query)


def test_functions_of_tables_that_duckdb_has(connection: duckdb.DuckDBPyConnection) -> None:
    """One that is new must be looked at: does it only read?"""
    sql = "select distinct function_name from duckdb_functions() where function_type = 'table' order by 1"
    names = [name for (name,) in connection.execute(sql).fetchall()]
    refused = set()
    for name in names:
        try:
            refuse_side_effects(connection, f"from {name}({WITH_EFFECTS.get(name, '')})")
        except UsageError:
            refused.add(name)
        except duckdb.Error:
            pass  # it needs arguments
    assert refused == set(WITH_EFFECTS)


def test_planning_runs_nothing(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("create sequence s")
        refuse_side_effects(connection, "select nextval('s')")
        assert connection.execute("select nextval('s')").fetchall() == [(1,)]
        with pytest.raises(UsageError):
            refuse_side_effects(connection, f"from enable_logging(storage = 'file', storage_path = '{tmp_path}/log')")
    assert list(tmp_path.iterdir()) == []
