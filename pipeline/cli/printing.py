"""Tables on a terminal, and results in files."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, count, zip_longest
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
from pipeline.visible import on_one_line, shown, shown_json

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# Texts of JSON are stepped over: what is left are the numbers that DuckDB writes and JSON does not have.
_NO_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|-?\b(?:nan|inf(?:inity)?)\b', re.IGNORECASE)
# More rows than anybody reads on a terminal are not folded to its width: that takes minutes.
FOLDED_ROWS = 1000


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints rows as a table; beyond a terminal it is as wide as it needs to be."""
    console = SteadyConsole(highlight=False)
    names, texts = tuple(map(one_line, columns)), []
    numeric = [True] * len(names)
    for row in rows:
        numeric = [held and isinstance(value, (int, float, Decimal)) for held, value in zip(numeric, row, strict=True)]
        texts.append(tuple(map(_cell, row)))  # tuples of texts: of lists there would be too many to keep track of
    numeric = [held and bool(texts) for held in numeric]
    if not console.is_terminal or len(texts) > FOLDED_ROWS:
        _print_wide(console, [names, *texts] if any(names) else texts, numeric)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(names))
    for name, is_numeric in zip(names, numeric, strict=True):
        table.add_column(Text(name), justify="right" if is_numeric else "left", overflow="fold")
    for cells in texts:
        table.add_row(*map(Text, cells))
    console.print(table)


def _print_wide(console: SteadyConsole, rows: Sequence[tuple[str, ...]], numeric: Sequence[bool]) -> None:
    """Prints a table line by line, each column as wide as its widest line."""
    widths = [max((_width(row[n]) for row in rows), default=0) for n in range(len(numeric))]
    pads = [(width, str.rjust if is_numeric else _padded) for width, is_numeric in zip(widths, numeric, strict=True)]
    try:
        for row in rows:
            lines = zip_longest(*(text.split("\n") for text in row), fillvalue="") if "\n" in "".join(row) else [row]
            for line in lines:
                cells = [pad(text, width) for text, (width, pad) in zip(line, pads, strict=True)]
                console.file.write("  ".join(cells) + "\n")
        console.file.flush()
    except BrokenPipeError:
        console.on_broken_pipe()


def _width(text: str) -> int:
    if "\n" in text:
        return max(map(_width, text.split("\n")))
    return len(text) if text.isascii() else cell_len(text)


def _padded(text: str, width: int) -> str:
    return text.ljust(width) if text.isascii() else text + " " * (width - cell_len(text))


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
    """Raises UsageError where two columns have one name, for readers of a file that would find only one of them."""
    if again := sorted(name for name, amount in Counter(names).items() if amount > 1):
        raise UsageError(f"more than one column is called {', '.join(again)}; name them apart with `as`")


def _rows(batch: pa.RecordBatch) -> Iterable[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _documents(columns: Sequence[PrintedColumn], batches: pa.RecordBatchReader) -> Iterator[bytes]:
    keys = [(key, column.is_json) for key, column in zip(_apart([column.name for column in columns]), columns, strict=True)]
    for batch in batches:
        for row in _rows(batch):
            document = {key: _json(value) if nested else value for (key, nested), value in zip(keys, row, strict=True)}
            yield shown_json(orjson.dumps(document))


def _apart(names: Sequence[str]) -> list[str]:
    """Returns names of which no two are the same, as DuckDB makes them where a query is selected from: a, a_1, a_2."""
    found: dict[str, None] = {}
    for name in names:
        others = (f"{name}_{number}" for number in count(1))
        found[next(other for other in chain([name], others) if other not in found)] = None
    return list(found)


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
