"""Tables on a terminal, and results in files."""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.table import Table
from rich.text import Text

from pipeline.cli.console import SteadyConsole
from pipeline.errors import UsageError
from pipeline.reader import PrintedColumn
from pipeline.visible import on_one_line, shown, shown_json

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints rows as a table; beyond a terminal it is as wide as it needs to be."""
    console = SteadyConsole(highlight=False)
    if not console.is_terminal:
        console.width = 1_000_000
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    kept = [list(row) for row in rows]
    for number, name in enumerate(columns):
        numeric = all(isinstance(row[number], (int, float, Decimal)) for row in kept) and bool(kept)
        table.add_column(
            Text(_cell(name)), justify="right" if numeric else "left", overflow="fold", no_wrap=not console.is_terminal
        )
    for row in kept:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def write_result(columns: Sequence[PrintedColumn], batches: pa.RecordBatchReader, kind: str, output: Path | None) -> None:
    """Writes a query's result as a table, csv, json or jsonl, batch by batch; a file is replaced as a whole."""
    if kind == "table":
        if output is not None:
            raise UsageError("--output needs --format csv, json, jsonl or parquet")
        names = [column.name for column in columns]
        print_table(names, (tuple(map(_number_or_text, row, columns)) for batch in batches for row in _rows(batch)))
    elif kind == "csv":
        schema = pa.schema([pa.field(column.name, field.type) for column, field in zip(columns, batches.schema, strict=True)])
        # On a terminal somebody looks at it; a file or a pipe gets the exact bytes.
        looked_at = output is None and sys.stdout.isatty()
        with _looked_at() if looked_at else _target(output) as stream, pyarrow.csv.CSVWriter(stream, schema) as writer:
            for batch in batches:
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
    else:
        refuse_same_names([column.name for column in columns])
        head, between, end = (b"[", b",", b"]\n") if kind == "json" else (b"", b"\n", b"")
        with _target(output) as stream:
            stream.write(head)
            for number, line in enumerate(_documents(columns, batches)):
                stream.write(between + line if number and kind == "json" else line)
                stream.write(b"" if kind == "json" else between)
            stream.write(end)


def write_parquet(table: pa.Table, output: Path | None) -> None:
    """Writes a query's result, with its types, as Parquet."""
    refuse_same_names(table.column_names)
    if output is None and sys.stdout.isatty():
        raise UsageError("Parquet is no text; name a file with --output")
    try:
        with _target(output) as stream:
            pyarrow.parquet.write_table(table, stream)
    except pa.ArrowException as error:
        raise UsageError(f"Parquet can't hold a column of this result: {error}; cast it to varchar") from error


def refuse_same_names(names: Sequence[str]) -> None:
    """Raises UsageError where two columns have one name, for formats that would keep only one of them."""
    if again := sorted(name for name, amount in Counter(names).items() if amount > 1):
        raise UsageError(f"more than one column is called {', '.join(again)}; name them apart with `as`")


@contextmanager
def _looked_at() -> Iterator[BinaryIO]:
    with BytesIO() as stream:
        yield stream
        sys.stdout.write(stream.getvalue().decode())


@contextmanager
def _target(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        return
    draft = output.with_name(f".{output.name}.draft")
    try:
        with draft.open("wb") as stream:
            yield stream
        draft.replace(output)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(output)) from error
    finally:
        draft.unlink(missing_ok=True)


def _rows(batch: pa.RecordBatch) -> Iterable[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _documents(columns: Sequence[PrintedColumn], batches: pa.RecordBatchReader) -> Iterator[bytes]:
    for batch in batches:
        for row in _rows(batch):
            yield shown_json(
                orjson.dumps(
                    {column.name: _json(value) if column.is_json else value for column, value in zip(columns, row, strict=True)}
                )
            )


def _json(text: str | None) -> orjson.Fragment | None:
    if text is not None and ("NaN" in text or "Infinity" in text):
        # DuckDB writes numbers that JSON does not have.
        text = json.dumps(json.loads(text, parse_constant=lambda _: None), ensure_ascii=False)
    return None if text is None else orjson.Fragment(text)


def _number_or_text(value: Any, column: PrintedColumn) -> Any:
    if column.is_json and value is not None and _NUMBER.fullmatch(value):
        return Decimal(value)
    return value


def one_line(text: str, width: int = 400) -> str:
    """Returns a text on one line, without what a terminal would obey, cut where it is too long to be read."""
    return on_one_line(text if len(text) <= width else f"{text[:width]}...")


def plain(text: str) -> str:
    """Returns a text with its lines, without what a terminal would obey."""
    return shown(text.strip().expandtabs())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return shown(orjson.dumps(value, default=str).decode())
    return shown(str(value).expandtabs())
