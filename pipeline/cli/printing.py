"""Tables on a terminal, and results in files."""

import re
import sys
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.errors import UsageError

# What a terminal would obey rather than show.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints rows as a table; beyond a terminal it is as wide as it needs to be."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 1_000_000
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    kept = [list(row) for row in rows]
    for number, name in enumerate(columns):
        numeric = all(isinstance(row[number], (int, float)) for row in kept) and bool(kept)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=not console.is_terminal)
    for row in kept:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def write_table(table: pa.Table, kind: str, output: Path | None) -> None:
    """Writes a query's result in one of the formats, to a file or to standard output."""
    if kind == "table":
        if output is not None:
            raise UsageError("--output needs --format csv, json, jsonl or parquet")
        print_table(table.column_names, _positional(table))
        return
    content = _encoded(table, kind)
    if output is not None:
        output.write_bytes(content)
    elif kind == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is no text; name a file with --output")
    else:
        sys.stdout.buffer.write(content)


def _encoded(table: pa.Table, kind: str) -> bytes:
    if kind == "json":
        return orjson.dumps(_rows(table), option=_OPTIONS, default=str) + b"\n"
    if kind == "jsonl":
        return b"".join(orjson.dumps(row, option=_OPTIONS, default=str) + b"\n" for row in _rows(table))
    sink = BytesIO()
    if kind == "parquet":
        pyarrow.parquet.write_table(table, sink)
    else:
        pyarrow.csv.write_csv(_flat(table), sink)
    return sink.getvalue()


_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    return [dict(zip(table.column_names, row, strict=True)) for row in _positional(table)]


def _positional(table: pa.Table) -> Iterable[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in table.columns]
    return zip(*columns, strict=True) if columns else []


def _flat(table: pa.Table) -> pa.Table:
    """Lists and structs as JSON text: CSV has no other way to hold them."""
    for number, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [None if v is None else orjson.dumps(v, default=str).decode() for v in table.column(number).to_pylist()]
            table = table.set_column(number, field.name, pa.array(texts, pa.string()))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return orjson.dumps(value, default=str).decode()
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value))
