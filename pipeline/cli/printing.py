"""Tables on a terminal, and results in files."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from pipeline.cli.console import SteadyConsole
from pipeline.errors import UsageError
from pipeline.reader import PrintedColumn

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# What a terminal would obey rather than show.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Texts of JSON are stepped over: what is left are the numbers that DuckDB writes and JSON does not have.
_NO_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|-?\b(?:nan|inf(?:inity)?)\b', re.IGNORECASE)
# More rows than anybody reads on a terminal are not folded to its width: that takes minutes.
FOLDED_ROWS = 1000


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints rows as a table; beyond a terminal it is as wide as it needs to be."""
    console = SteadyConsole(highlight=False)
    kept = [list(row) for row in rows]
    numeric = [bool(kept) and all(isinstance(row[n], (int, float, Decimal)) for row in kept) for n in range(len(columns))]
    names = [one_line(name) for name in columns]
    if not console.is_terminal or len(kept) > FOLDED_ROWS:
        _print_wide(console, names, numeric, [[_cell(value) for value in row] for row in kept])
        return
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for name, is_numeric in zip(names, numeric, strict=True):
        table.add_column(Text(name), justify="right" if is_numeric else "left", overflow="fold")
    for row in kept:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def _print_wide(console: SteadyConsole, names: list[str], numeric: list[bool], rows: list[list[str]]) -> None:
    """Prints a table line by line, each column as wide as its widest cell."""
    cells = [[text.expandtabs().split("\n") for text in row] for row in ([names, *rows] if any(names) else rows)]
    widths = [max((cell_len(line) for row in cells for line in row[n]), default=0) for n in range(len(names))]
    padded = zip(widths, numeric, strict=True)
    pads = [_padded_left if is_numeric else _padded_right for _, is_numeric in padded]
    try:
        for row in cells:
            height = max(map(len, row), default=1)
            for line in range(height):
                texts = (cell[line] if line < len(cell) else "" for cell in row)
                shown = (pad(text, width) for pad, text, width in zip(pads, texts, widths, strict=True))
                console.file.write("  ".join(shown) + "\n")
        console.file.flush()
    except BrokenPipeError:
        console.on_broken_pipe()


def _padded_right(text: str, width: int) -> str:
    return text.ljust(width) if text.isascii() else text + " " * (width - cell_len(text))


def _padded_left(text: str, width: int) -> str:
    return text.rjust(width)  # numbers alone, and their names


def write_result(columns: Sequence[PrintedColumn], batches: pa.RecordBatchReader, kind: str, stream: IO[bytes]) -> None:
    """Writes a query's result as csv, json or jsonl, batch by batch."""
    if kind == "csv":
        schema = pa.schema([pa.field(column.name, field.type) for column, field in zip(columns, batches.schema, strict=True)])
        with pyarrow.csv.CSVWriter(stream, schema) as writer:
            for batch in batches:
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
        return
    head, between, end = (b"[", b",", b"]\n") if kind == "json" else (b"", b"\n", b"")
    stream.write(head)
    for number, line in enumerate(_documents(columns, batches)):
        stream.write(between + line if number and kind == "json" else line)
        stream.write(b"" if kind == "json" else between)
    stream.write(end)


def print_result(columns: Sequence[PrintedColumn], batches: pa.RecordBatchReader) -> None:
    """Prints a query's result as a table."""
    rows = (tuple(map(_number_or_text, row, columns)) for batch in batches for row in _rows(batch))
    print_table([column.name for column in columns], rows)


def write_parquet(schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> None:
    """Writes a query's result, with its types, as Parquet, batch by batch."""
    try:
        with pyarrow.parquet.ParquetWriter(stream, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    except pa.ArrowException as error:
        raise UsageError(f"Parquet can't hold a column of this result: {error}; cast it to varchar") from error


def refuse_same_names(names: Sequence[str]) -> None:
    """Raises UsageError where two columns have one name, for formats that would keep only one of them."""
    if again := sorted(name for name, amount in Counter(names).items() if amount > 1):
        raise UsageError(f"more than one column is called {', '.join(again)}; name them apart with `as`")


def _rows(batch: pa.RecordBatch) -> Iterable[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _documents(columns: Sequence[PrintedColumn], batches: pa.RecordBatchReader) -> Iterator[bytes]:
    for batch in batches:
        for row in _rows(batch):
            yield orjson.dumps(
                {column.name: _json(value) if column.is_json else value for column, value in zip(columns, row, strict=True)}
            )


def _json(text: str | None) -> orjson.Fragment | None:
    if text is None:
        return None
    text = _NO_NUMBER.sub(lambda found: found[0] if found[0].startswith('"') else "null", text)
    return orjson.Fragment(text.replace("\n", " ").replace("\r", " "))  # between values: a line is a document


def _number_or_text(value: Any, column: PrintedColumn) -> Any:
    if column.is_json and value is not None and _NUMBER.fullmatch(value):
        return Decimal(value)
    return value


def one_line(text: str, width: int = 400) -> str:
    """Returns a text on one line, without what a terminal would obey, cut where it is too long to be read."""
    shown = _cell(text if len(text) <= width else f"{text[:width]}...")
    return shown.replace("\t", "\\t").replace("\n", "\\n")


def plain(text: str) -> str:
    """Returns a text with its lines, without what a terminal would obey."""
    return _CONTROL.sub("�", text).strip()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return orjson.dumps(value, default=str).decode()
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value))
