"""SQL as sqlglot reads it. Loaded when it is asked for: whoever only reads a warehouse needs none of it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from pipeline.errors import ModelError

DIALECT = "duckdb"


class Parsed(NamedTuple):
    """A query, and the tables that it reads as `room.table`."""

    query: exp.Query
    tables: frozenset[str]

    @classmethod
    def of(cls, query: exp.Query) -> "Parsed":
        return cls(query, frozenset(f"{table.db}.{table.name}" for table in query.find_all(exp.Table) if table.db))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Raises ModelError with the file whose SQL can't be read inside."""
    try:
        yield
    except SqlglotError as error:
        raise ModelError(f"{path}: not valid SQL: {str(error).splitlines()[0]}") from None


@cache  # the functions that models share are asked for once per model
def fingerprint_of(sql: str) -> str:
    """Returns the sha256 over the tokens of `sql`."""
    tokens = sqlglot.tokenize(sql, read=DIALECT)
    return hashlib.sha256("\x1f".join(f"{t.token_type.name} {t.text}" for t in tokens).encode()).hexdigest()


@cache  # one process may run the same models again and again; whoever changes a tree copies it first
def parsed(sql: str) -> Parsed | None:
    """Returns a text that is one query; None where it is anything else."""
    found = sqlglot.parse_one(sql, dialect=DIALECT)
    return Parsed.of(found) if isinstance(found, exp.Query) else None


@cache  # declarations are read anew by every run of a process
def conditions(declaration: str) -> tuple[str, ...]:
    """Returns the conditions of the checks in a `create table` statement."""
    found = sqlglot.parse_one(declaration, dialect=DIALECT)
    return tuple(node.this.sql(dialect=DIALECT) for node in found.find_all(exp.CheckColumnConstraint))
