"""Statements: which functions some SQL makes; of a reader, what only reads, and how its values are printed."""

import re
from typing import NamedTuple

import duckdb
from duckdb.sqltypes import DuckDBPyType

from pipeline.engine.literals import quoted
from pipeline.errors import UsageError

# How a function of ours begins, with its name.
MACRO = re.compile(r"\bcreate\s+(?:or\s+replace\s+)?(?:macro|function)\s+(\w+)", re.IGNORECASE)
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
# Types that are printed as they are, and types that are printed as JSON; all others are printed as text.
_PLAIN = {"boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint", "double"}
_NESTED = {"decimal", "hugeint", "uhugeint", "bignum", "list", "array", "struct", "map", "union"}


class PrintedColumn(NamedTuple):
    """A column of a result as it is printed."""

    name: str
    is_json: bool = False


def refuse_all_but_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raises UsageError unless the text is one statement that only reads."""
    try:
        query.encode()
        statements = connection.extract_statements(query)
        kinds = [statement.type for statement in statements]
        # `explain analyze` runs what it explains.
        while len(statements) == 1 and kinds[-1] == duckdb.StatementType.EXPLAIN:
            statements = connection.extract_statements(_explained_part(statements[0].query))
            kinds += [statement.type for statement in statements]
    except (duckdb.Error, UnicodeEncodeError) as error:
        raise UsageError(f"not valid SQL: {error}") from None
    if len(statements) != 1 or any(kind not in _READING for kind in kinds):
        raise UsageError("the warehouse is read-only here: give one select (or explain, describe, show, summarize)")


def printable(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[str, list[PrintedColumn]]:
    """Returns a select whose every value is a number, a truth value or a text, and what its columns are.

    Numbers beyond 64 bits and nested values are texts of JSON. The select's own columns are c0, c1...: names may repeat.
    """
    (statement,) = connection.extract_statements(query)
    if statement.type == duckdb.StatementType.EXPLAIN:
        return query, [PrintedColumn(name) for name in ("explain_key", "explain_value")]
    inner = _without_end(statement.query)
    relation = connection.query(f"from (\n{inner}\n)")
    columns = list(zip(relation.columns, relation.types, strict=True))
    values = ", ".join(f"{_printed(f'c{number}', kind)} as c{number}" for number, (_, kind) in enumerate(columns))
    places = ", ".join(f"c{number}" for number in range(len(columns)))
    select = f"select {values} from (\n{inner}\n) as found({places})"
    return select, [PrintedColumn(name, is_json=_is_json(kind)) for name, kind in columns]


def _explained_part(query: str) -> str:
    """Returns what an `explain` explains."""
    tokens = [start for start, _ in duckdb.tokenize(query)]
    words = [query[start:end].split(None, 1)[0].lower() for start, end in zip(tokens, [*tokens[1:], None], strict=True)]
    place = words.index("explain") + 1
    if words[place] == "(":
        place = words.index(")", place) + 1
    elif words[place] == "analyze":
        place += 1
    return query[tokens[place] :] if place < len(tokens) else ""


def _without_end(query: str) -> str:
    """Returns a statement without the semicolon that ends it."""
    ends = [start for start, _ in duckdb.tokenize(query) if query[start] == ";"]
    return query[: ends[-1]] if ends else query


def _is_json(kind: DuckDBPyType) -> bool:
    return kind.id in _NESTED or str(kind) == "JSON"


def _printed(value: str, kind: DuckDBPyType) -> str:
    if kind.id in _PLAIN:
        return value
    if kind.id == "float":
        return f"cast({value} as double)"
    if _is_json(kind):
        return f"cast(to_json({_with_times(value, kind)}) as varchar)"
    return _as_text(value, kind)


def _with_times(value: str, kind: DuckDBPyType, depth: int = 0) -> str:
    """Returns a nested value in which times are texts, in the form that they are printed in elsewhere."""
    if kind.id.startswith("timestamp"):
        return _as_text(value, kind)
    if "TIMESTAMP" not in str(kind):
        return value
    members = [(name, member) for name, member in kind.children if isinstance(member, DuckDBPyType)]
    if kind.id == "list":
        ((_, member),) = members
        return f"list_transform({value}, lambda item{depth}: {_with_times(f'item{depth}', member, depth + 1)})"
    if kind.id == "struct":
        parts = (f"{quoted(name)}: {_with_times(f'{value}[{quoted(name)}]', member, depth)}" for name, member in members)
        return f"case when {value} is not null then {{{', '.join(parts)}}} end"
    return value


def _as_text(value: str, kind: DuckDBPyType) -> str:
    text = f"cast({value} as varchar)"
    if kind.id == "timestamp with time zone":
        return f"replace(regexp_replace({text}, '\\+00$', 'Z'), ' ', 'T')"
    return f"replace({text}, ' ', 'T')" if kind.id.startswith("timestamp") else text
