"""From model files to the SQL that runs: a stream's file says what is its own, `_common.sql` says the rest."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlglot import exp

from pipeline.engine import MACRO
from pipeline.errors import ModelError
from pipeline.models import Library, Model
from pipeline.models.parsing import DIALECT, Parsed, fingerprint_of

OBJECTS = "evidence.objects"
RECORDS = "evidence.records"
# So many hex digits of a fingerprint stand in every score for the SQL that decided.
SCORER_DIGITS = 12


class Merged(NamedTuple):
    """A stream's query with what is common to all, as text, and the tables that it reads.

    reads_others: whether it reads other records beside the one that it judges
    """

    sql: str
    inputs: frozenset[str]
    reads_others: bool = False


@dataclass(frozen=True)
class Compiled:
    """SQL ready to run for one model, put together when it is asked for: a run without anything to do needs fingerprints alone.

    sources:     the streams that it serves (empty for models that serve no stream)
    fingerprint: of everything that decides its result: version, own SQL, the common file, functions used
    """

    name: str
    path: Path
    version: int
    sources: tuple[str, ...]
    fingerprint: str
    merge: Callable[[], Merged]

    @cached_property
    def sql(self) -> str:
        return self.merge().sql

    @cached_property
    def inputs(self) -> frozenset[str]:
        """The tables that it reads."""
        return self.merge().inputs

    @cached_property
    def reads_others(self) -> bool:
        """Whether the score of one record may hang on other records of the evidence."""
        return self.merge().reads_others


def evidence_model(library: Library, stream: str) -> Compiled:
    """Returns the SQL that turns the object lines of one stream into candidates for evidence."""
    common, own = library["evidence/_common"], library[f"evidence/{stream}"]
    if sources_of(own) != (stream,):
        raise ModelError(f"{own.path}: must read `from {OBJECTS} where source = '{stream}'`, as its file name says")
    parts = [own, *_shared(library, "evidence")]
    return _compiled(library, own, partial(_evidence_query, common, own, stream), (stream,), parts)


@cache  # one process may run the same models again and again, as tests do
def _evidence_query(common: Model, own: Model, stream: str) -> Merged:
    merged = _merge(common, own, {})
    fields = json.dumps(_field_schema(merged, own))
    found = _mentions(merged, OBJECTS)
    if len(found) != 1:
        raise ModelError(f"{own.path}: must read `from {OBJECTS}`, once")
    table = found[0]
    columns = ("source", "source_file", "line_offset", "sig_hash", "recorded_at", "line", "is_giant")
    parsed = exp.select(*columns, f"from_json(line, {_quoted(fields)}) as field", dialect=DIALECT).from_(OBJECTS)
    table.replace(parsed.where(f"source = {_quoted(stream)}").subquery("objects"))
    return _printed(merged)


def scoring_model(library: Library, model: Model) -> Compiled:
    """Returns the SQL that judges the records of the streams which one scoring file names."""
    common = library["scored/_common"]
    tables = _mentions(model.query, RECORDS)
    if not tables or tables[0].alias != "records":
        raise ModelError(f"{model.path}: must read `from {RECORDS} as records`")
    parts = [model, *_shared(library, "scored")]
    version = effective_fingerprint(library, parts)[:SCORER_DIGITS]
    return _compiled(library, model, partial(_scoring_query, common, model, version), sources_of(model), parts)


@cache
def _scoring_query(common: Model, own: Model, version: str) -> Merged:
    merged = _merge(common, own, {"scorer_version": exp.alias_(exp.Literal.string(version), "scorer_version")})
    return _printed(merged)._replace(reads_others=len(_mentions(merged, RECORDS)) > 1)


def _mentions(query: exp.Query, table: str) -> list[exp.Table]:
    return [found for found in query.find_all(exp.Table) if f"{found.db}.{found.name}" == table]


def plain_model(library: Library, name: str) -> Compiled:
    """Returns a model that runs as it is written."""
    model = library[name]
    return _compiled(library, model, lambda: Merged(model.sql, model.inputs), (), [model])


def sources_of(model: Model) -> tuple[str, ...]:
    """Returns the streams in the `where source = ...` or `source in (...)` of a model's outermost select."""
    if not isinstance(model.query, exp.Select):
        raise ModelError(f"{model.path}: must be one plain select, no union")
    where = model.query.args.get("where")
    for node in where.find_all(exp.EQ, exp.In) if where else ():
        if isinstance(node.this, exp.Column) and node.this.name == "source":
            literals = [node.expression] if isinstance(node, exp.EQ) else node.expressions
            return tuple(literal.name for literal in literals if isinstance(literal, exp.Literal))
    raise ModelError(f"{model.path}: its last select needs `where source = '...'` to say which streams it serves")


def effective_fingerprint(library: Library, parts: list[Model]) -> str:
    """Returns the sha256 over versions and SQL of the parts and of every function that they use."""
    macros = _macros(library.functions.sql)
    wanted = {w for part in parts for w in _words(part.sql) if w in macros}
    used: set[str] = set()
    while wanted:
        used |= wanted
        wanted = {w for name in wanted for w in _words(macros[name]) if w in macros} - used
    lines = [f"{p.name}@{p.version} {p.fingerprint}" for p in parts]
    lines += [fingerprint_of(macros[name]) for name in sorted(used)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _merge(common: Model, own: Model, extra: dict[str, exp.Expr]) -> exp.Select:
    mine = {p.alias_or_name: p for p in own.query.selects} | extra
    columns = common.query.selects
    unknown = sorted(mine.keys() - {c.alias_or_name for c in columns})
    if unknown:
        known = ", ".join(c.alias_or_name for c in columns)
        raise ModelError(f"{own.path}: no such column: {', '.join(unknown)}; there are {known}")
    merged = own.query.copy()
    if not isinstance(merged, exp.Select):
        raise ModelError(f"{own.path}: must be one plain select, no union")
    merged.set("expressions", [mine.get(c.alias_or_name, c).copy() for c in columns])
    return merged


def _field_schema(query: exp.Query, own: Model) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    paths = {
        tuple(part.name for part in column.parts[1:])
        for column in query.find_all(exp.Column)
        if column.parts[0].name == "field"
    }
    for path in sorted(paths):
        node = schema
        for name in path[:-1]:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise ModelError(f"{own.path}: field.{'.'.join(path)} is used both as a value and as an object")
        node[path[-1]] = "JSON"
    return schema


def _printed(query: exp.Query) -> Merged:
    return Merged(query.sql(dialect=DIALECT, comments=False), Parsed.of(query).tables)


def _compiled(
    library: Library, own: Model, merge: Callable[[], Merged], sources: tuple[str, ...], parts: list[Model]
) -> Compiled:
    return Compiled(own.name, own.path, own.version, sources, effective_fingerprint(library, parts), merge)


def _shared(library: Library, room: str) -> list[Model]:
    return [model for name, model in sorted(library.models.items()) if model.room == room and model.is_shared]


@cache
def _macros(functions: str) -> Mapping[str, str]:
    starts = [(m[1], m.start()) for m in MACRO.finditer(functions)]
    ends = [start for _, start in starts[1:]] + [len(functions)]
    return {name: functions[start:end] for (name, start), end in zip(starts, ends, strict=True)}


@cache
def _words(sql: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", sql))


def _quoted(text: str) -> str:
    return exp.Literal.string(text).sql(dialect=DIALECT)
