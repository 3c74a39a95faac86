"""The tables as `sql/tables/` declares them: columns, meaning, and the checks that Delta enforces."""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from pipeline.engine import table_schemas
from pipeline.models import read_header

_COLUMN = re.compile(r'^    "?(\w+)"? (.+?)( not null)?,? -- (.*)$')
CLOCK_COLUMNS = ("recorded_at", "load_id")
# Rooms of tables that tell what was done: they grow between runs too, and no restore takes them back.
_CHRONICLES = ("ops.", "replay.", "distill.")


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    nullable: bool
    meaning: str


@dataclass(frozen=True)
class Table:
    """One declared table.

    name:    room and table, such as `scored.runs`
    key:     columns that name a row
    digest:  columns that settle the content of a row; empty for all of them
    bulk:    long texts that the key is a hash of
    proof:   SQL condition that ties columns outside the digest to it; empty where there are none
    columns: in order, with their meaning
    ddl:     the declaration as it is written
    """

    name: str
    title: str
    grain: str
    key: tuple[str, ...]
    digest: tuple[str, ...]
    bulk: tuple[str, ...]
    proof: str
    columns: tuple[Column, ...]
    ddl: str
    schema: pa.Schema

    @cached_property
    def checks(self) -> dict[str, str]:
        """The SQL conditions that Delta enforces on every row written, by their names."""
        from pipeline.models.parsing import conditions

        return {_name_of(condition): condition for condition in conditions(self.ddl)}


def is_chronicle(table: str) -> bool:
    """True for tables that tell what was done. Snapshots name their versions, but neither count nor hash their rows."""
    return table.startswith(_CHRONICLES)


def load(folders: Iterable[Path]) -> dict[str, Table]:
    """Reads the declarations below `tables/` of each folder."""
    paths = [path for folder in folders for path in sorted((folder / "tables").glob("*.sql"))]
    texts = {path.stem: path.read_text(encoding="utf-8") for path in paths}
    schemas = table_schemas(texts)
    return {name: _table(name, text, schemas[name]) for name, text in texts.items()}


def read_table(path: Path) -> Table:
    """Reads one declaration."""
    text = path.read_text(encoding="utf-8")
    return _table(path.stem, text, table_schemas({path.stem: text})[path.stem])


def _table(name: str, text: str, schema: pa.Schema) -> Table:
    title, head = read_header(text)
    columns = tuple(Column(m[1], m[2], m[3] is None, m[4]) for line in text.splitlines() if (m := _COLUMN.match(line)))
    return Table(
        name=name,
        title=title,
        grain=head.get("grain", ""),
        key=tuple(filter(None, head.get("key", "").split(", "))),
        digest=tuple(filter(None, head.get("digest", "").split(", "))),
        bulk=tuple(filter(None, head.get("bulk", "").split(", "))),
        proof=head.get("proof", ""),
        columns=columns,
        ddl=text,
        schema=schema,
    )


def _name_of(condition: str) -> str:
    """A name that tells one condition from another: Delta keeps conditions under their names, in words of its own."""
    return f"check_{hashlib.sha256(condition.encode()).hexdigest()[:8]}"


def key_text(table: Table) -> str:
    """Returns the SQL of a text that names a row."""
    return f"cast(to_json([{', '.join(f'cast({name} as varchar)' for name in table.key)}]) as varchar)"


def violations(table: Table) -> dict[str, str]:
    """Returns the SQL conditions of a row that breaks the declaration, by what is wrong with it."""
    missing = {f"{field.name} is null": f'"{field.name}" is null' for field in table.schema if not field.nullable}
    return missing | {f"not {condition}": f"not coalesce({condition}, true)" for condition in table.checks.values()}


def violation(table: Table) -> str:
    """Returns the SQL condition of a row that breaks the declaration in any way."""
    return " or ".join(violations(table).values()) or "false"


def row_digest(table: Table, lacking: Collection[str] = ()) -> str:
    """Returns the SQL of a row's 128-bit digest over everything but the clock: no landing time, no load.

    lacking: columns that the row was written without, so that its digest stays what it was then
    """
    said = {name: texts for name, texts in column_texts(table).items() if name not in lacking}
    columns = [texts for name, texts in said.items() if not table.digest or name in table.digest]
    return f"md5_number(concat_ws(chr(31), {', '.join(text for texts in columns for text in texts)}))"


def column_texts(table: Table) -> dict[str, list[str]]:
    """Returns per column, but for those of the clock, the SQL of the texts that tell two values apart."""
    found = {}
    for field in table.schema:
        if field.name in CLOCK_COLUMNS:
            continue
        if pa.types.is_struct(field.type):
            inner = (field.type.field(i) for i in range(field.type.num_fields))
            found[field.name] = [
                _digested(f"\"{field.name}\"['{f.name}']", f.type) for f in inner if f.name not in CLOCK_COLUMNS
            ]
        else:
            found[field.name] = [_digested(f'"{field.name}"', field.type)]
    return found


def _digested(value: str, kind: pa.DataType) -> str:
    """A value as text; null differs from every text. Times as numbers: that is much faster than as text."""
    if pa.types.is_timestamp(kind):
        value = f"cast(epoch_us({value}) as varchar)"
    elif pa.types.is_nested(kind):
        value = f"cast(to_json({value}) as varchar)"
    elif not pa.types.is_string(kind):
        value = f"cast({value} as varchar)"
    return f"coalesce({value}, chr(0))"
