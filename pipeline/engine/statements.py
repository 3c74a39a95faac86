"""Statements: which functions some SQL makes; and of a reader's SQL, whether all it does is read.

DuckDB decides that, not we: it says of what type a statement is, and its plan names every source that would be read. What is
allowed by both runs on a connection that is locked (`Engine.lock`), where no other file can be opened and no setting changed.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb

from pipeline.engine.refusals import gist
from pipeline.errors import UsageError

# How a function of ours begins, with its name.
MACRO = re.compile(r"\bcreate\s+(?:or\s+replace\s+)?(?:macro|function)\s+(\w+)", re.IGNORECASE)
READ_ONLY = "the warehouse is read-only here: give one select (or explain, describe, show, summarize)"
# DuckDB gives one type to whatever is explained, and `explain analyze` runs it. So what follows these words is asked about for
# itself, and they are put before it again: should they be found at the wrong place, what follows is no select.
_EXPLAIN = re.compile(
    r"(?:(?>\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/))*+(?P<explain>explain)\b"
    r"(?:(?>\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/))*+(?P<options>analyze\b|\((?=\s*(?:analyze|format)\b)[\w\s,]*\))?",
    re.IGNORECASE | re.DOTALL,
)
# What a select may read from beside the tables. Others change settings, write logs, or run SQL that no plan shows.
_SOURCES = re.compile(
    r"seq_scan|read_\w+|parquet_\w+|sniff_csv|glob|duckdb_\w+|pragma_\w+|range|generate_series|repeat|repeat_row|unnest|summary"
    r"|json_each|json_tree|test_(all|vector)_types|icu_calendar_names|pg_timezone_names|which_secret"
)


class ReadStatement(NamedTuple):
    """One statement that only reads: a select, and what an `explain` of it begins with."""

    select: str
    explain: str = ""

    @property
    def sql(self) -> str:
        return f"{self.explain} {self.select}"


def refuse_all_but_select(connection: duckdb.DuckDBPyConnection, query: str) -> ReadStatement:
    """Returns the one statement of a text. Raises UsageError unless it is a select, or an `explain` of one."""
    statements = _statements(connection, query)
    if _is_one(statements, duckdb.StatementType.SELECT):
        return ReadStatement(statements[0].query)
    if _is_one(statements, duckdb.StatementType.EXPLAIN) and (found := _EXPLAIN.match(statements[0].query)):
        explained = ReadStatement(statements[0].query[found.end() :], " ".join(filter(None, found.groups())))
        if _is_one(_statements(connection, explained.select), duckdb.StatementType.SELECT):
            return _composed(connection, explained)
    raise UsageError(READ_ONLY)


def refuse_side_effects(connection: duckdb.DuckDBPyConnection, select: str) -> None:
    """Raises UsageError where a select would do more than read, and duckdb.Error where DuckDB can't plan it."""
    planning = _composed(connection, ReadStatement(select, "explain (format json)"))
    ((_, plan),) = connection.execute(planning.sql).fetchall()
    for source in _sources(json.loads(plan)):
        if not _SOURCES.fullmatch(source):
            raise UsageError(f"the warehouse is read-only here, and {source}() does more than read; take it out of the query")


def _composed(connection: duckdb.DuckDBPyConnection, statement: ReadStatement) -> ReadStatement:
    """Returns a statement with its `explain`, which is still one statement."""
    if not _is_one(_statements(connection, statement.sql), duckdb.StatementType.EXPLAIN):
        raise UsageError(READ_ONLY)
    return statement


def _statements(connection: duckdb.DuckDBPyConnection, query: str) -> list[duckdb.Statement]:
    try:
        query.encode()
        return connection.extract_statements(query)
    except duckdb.PermissionException:
        raise UsageError(READ_ONLY) from None  # `import database` reads its files already here
    except (duckdb.Error, UnicodeEncodeError) as error:
        raise UsageError(f"not valid SQL: {gist(error)}") from None


def _is_one(statements: list[duckdb.Statement], kind: duckdb.StatementType) -> bool:
    return [statement.type for statement in statements] == [kind]


def _sources(plan: Any) -> Iterator[str]:
    """Yields the names of the table functions in a plan, as DuckDB prints it in JSON."""
    for step in plan if isinstance(plan, list) else [plan]:
        details = step.get("extra_info")
        if isinstance(details, dict) and (source := details.get("Function") or details.get("Name")):
            yield str(source).strip().lower()
        yield from _sources(step.get("children", []))
