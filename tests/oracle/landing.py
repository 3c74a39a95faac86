"""Contracts section 1: files -> physical lines, each with its hash and what it means.

Choices where the page is silent:
- Lines end at "\\n" only (not at a lone "\\r", "\\f" or U+2028). Exactly one "\\r" before the "\\n" is
  dropped; a "\\r" at the end of a file is not before a "\\n" and stays.
- A last line without newline is a partial tail when it is not valid JSON: cut UTF-8, broken JSON, and also
  only white space (it does not parse either). A complete scalar or array parses, so it lands.
- sig_hash exists for objects only. line_sha256 is over the line without its "\\r\\n" or "\\n".
- A folder that holds no .jsonl file is no stream; an empty .jsonl file is one. Other files are ignored.
- A byte order mark is not white space and not JSON: such a line is invalid_json, but for the first line of a file, whose row
  begins behind it.
- A line of more than 16 MiB is too_long; as a last line without newline it is a partial tail.
- A number beyond a double (1e400) is valid JSON. Python reads it as inf, and it hashes as Infinity.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import zstandard

Row = dict[str, Any]

WHITE_SPACE = " \t\n\r\f\v"
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".ndjson.zst")
MAX_LINE = 16 * 1024 * 1024
MARK = b"\xef\xbb\xbf"
MAX_NESTING = 512
BLANK = ("Zs", "Zl", "Zp", "Cc", "Cf")

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


@dataclass(frozen=True)
class Line:
    """One physical line that is not blank; `row` holds its values (numbers exact) when it is an object."""

    source: str
    source_file: str
    line_offset: int
    line: bytes
    status: str
    sig_hash: str | None
    row: Row | None

    def as_dict(self) -> Row:
        """The line as the tests compare it: without `row`, with its line_sha256."""
        return {
            "source": self.source,
            "source_file": self.source_file,
            "line_offset": self.line_offset,
            "line": self.line,
            "line_sha256": hashlib.sha256(self.line).hexdigest(),
            "sig_hash": self.sig_hash,
            "status": self.status,
        }


@dataclass(frozen=True)
class Landed:
    """Lines ordered by (source, source_file, line_offset); blank lines of every stream found."""

    lines: list[Line]
    blank_lines: dict[str, int]
    partial_tails: list[str]


def trim(text: str) -> str:
    """`text` without the six white-space characters at either end."""
    return text.strip(WHITE_SPACE)


def is_blank(text: str | None) -> bool:
    """Null, or no character outside of the Unicode categories Z (separators), Cc and Cf."""
    return text is None or all(unicodedata.category(character) in BLANK for character in text)


def land(data_dir: Path) -> Landed:
    """Read every stream below `data_dir`."""
    lines: list[Line] = []
    blank_lines: dict[str, int] = {}
    partial_tails: list[str] = []
    for source, path in stream_files(data_dir):
        source_file = path.relative_to(data_dir).as_posix()
        blank_lines.setdefault(source, 0)
        pieces = read_bytes(path).split(b"\n")
        tail = pieces.pop()
        whole = [piece.removesuffix(b"\r") for piece in pieces]
        if tail != b"":
            if meaning(tail, 0 if not whole else 1)[0] in ("invalid_utf8", "invalid_json", "too_long"):
                partial_tails.append(source_file)
            else:
                whole.append(tail)
        for line_offset, line in enumerate(whole):
            if line.strip(WHITE_SPACE.encode()) == b"":
                blank_lines[source] += 1
                continue
            status, sig_hash, row = meaning(line, line_offset)
            lines.append(Line(source, source_file, line_offset, line, status, sig_hash, row))
    lines.sort(key=lambda line: (line.source, line.source_file, line.line_offset))
    return Landed(lines, blank_lines, sorted(partial_tails))


def stream_files(data_dir: Path) -> Iterator[tuple[str, Path]]:
    """(stream, file) for each `<stream>.jsonl[.gz|.zst]` and each such file anywhere below `<stream>/`."""
    for entry in sorted(data_dir.iterdir()):
        if entry.is_dir():
            for path in sorted(entry.rglob("*")):
                if path.is_file() and path.name.endswith(SUFFIXES):
                    yield entry.name, path
        else:
            for suffix in SUFFIXES:
                if entry.name.endswith(suffix) and entry.name != suffix:
                    yield entry.name.removesuffix(suffix), entry


def read_bytes(path: Path) -> bytes:
    """The uncompressed content; several gzip members or zstd frames follow one another."""
    data = path.read_bytes()
    if path.name.endswith(".gz"):
        return gzip.decompress(data)
    if path.name.endswith(".zst"):
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
            return reader.read()
    return data


def meaning(line: bytes, line_offset: int = 1) -> tuple[str, str | None, Row | None]:
    """(status, sig_hash, row) of one line; the last two only for an object."""
    if len(line) > MAX_LINE:
        return "too_long", None, None
    try:
        text = (line.removeprefix(MARK) if line_offset == 0 else line).decode("utf-8")
    except UnicodeDecodeError:
        return "invalid_utf8", None, None
    try:
        if nesting(text) > MAX_NESTING:
            return "invalid_json", None, None
        value = json.loads(text, parse_constant=refuse_constant)
        exact = json.loads(text, parse_float=exact_decimal)
    except (ValueError, RecursionError):  # ValueError: not JSON, NaN, or an integer of more than 4300 digits
        return "invalid_json", None, None
    if not isinstance(value, dict):
        return "not_an_object", None, None
    return "object", sig_hash_of(value), exact


def sig_hash_of(row: Row) -> str:
    """sha256 of the canonical JSON text; lone surrogates are encoded as they are."""
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", errors="surrogatepass")).hexdigest()


def nesting(text: str) -> int:
    """How deep arrays and objects nest: 0 for a scalar, 1 for `{}`. Exact for valid JSON."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def refuse_constant(name: str) -> None:
    """NaN, Infinity and -Infinity are not JSON."""
    raise ValueError(f"{name} is not JSON")


def exact_decimal(text: str) -> Decimal:
    """The number exactly as written; exponents that Decimal cannot hold become enormous or tiny."""
    try:
        return Decimal(text)
    except InvalidOperation:
        mantissa, _, exponent = text.lower().partition("e")
        return Decimal(mantissa + ("e-999999" if exponent.startswith("-") else "e999999"))
