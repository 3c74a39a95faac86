"""What one line means: its JSON row, its hashes, or what is wrong with it.

orjson reads and hashes the common line; the standard library's json decides wherever the two could differ.
"""

import hashlib
import json
import math
import re
import sys
from typing import Any, NamedTuple

import orjson

MAX_DEPTH = 512
DIGITS = sys.int_info.default_max_str_digits
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARK = "\ufeff".encode()


class Line(NamedTuple):
    """status: object, not_an_object, invalid_json or invalid_utf8; too_long comes from those who never hold the line
    detail: what is wrong, where something is
    sig_hash: sha256 of the row in canonical form, for objects
    meaning: the row rewritten, only where a JSON parser might read the line differently
    """

    status: str
    detail: str | None
    sig_hash: str | None
    meaning: str | None


def read_line(raw: bytes, offset: int = 1) -> Line:
    """Reads one non-blank line without its newline; the first of a file, at `offset` 0, may begin with a byte order mark."""
    if offset == 0 and raw.startswith(_MARK):
        return _read_marked(raw)
    return _read_quickly(raw) or _read_slowly(raw)


def _read_marked(raw: bytes) -> Line:
    """Reads a line behind a byte order mark, which is no JSON: the row must be rewritten for whoever parses it."""
    bare = raw.removeprefix(_MARK)
    line = _read_quickly(bare)
    if line is None:
        return _read_slowly(raw, _MARK.decode())
    return line._replace(meaning=bare.decode())


def _read_quickly(raw: bytes) -> Line | None:
    """Reads a line as nearly all are; None where it has to be looked at more closely."""
    try:
        row = orjson.loads(raw)
        canonical = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    if type(row) is not dict or not _is_plain(row):
        return None
    # A repeated key takes its quotes with it, so equal counts mean that no key was repeated.
    if raw.count(b'"') != canonical.count(b'"') or b"\\u0022" in raw:
        return None
    return Line("object", None, hashlib.sha256(canonical).hexdigest(), None)


def _is_plain(value: Any) -> bool:
    """True where orjson and json print a value alike: no float that either writes with an exponent."""
    values = value.values() if type(value) is dict else value
    for item in values:
        kind = type(item)
        if kind is float:
            if not (1e-4 <= abs(item) < 1e16 or item == 0.0):
                return False
        elif (kind is list or kind is dict) and not _is_plain(item):
            return False
    return True


def _read_slowly(raw: bytes, mark: str = "") -> Line:
    try:
        text = raw.decode("utf-8").removeprefix(mark)
    except UnicodeDecodeError as error:
        return Line("invalid_utf8", f"byte {error.start} is no UTF-8: {error.reason}", None, None)
    if nesting(text) > MAX_DEPTH:
        return Line("invalid_json", f"nested deeper than {MAX_DEPTH} levels", None, None)
    try:
        row = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        # Python takes a time to read such numbers that grows with their square.
        if "integer string conversion" in str(error):
            return Line("invalid_json", f"a whole number of more than {DIGITS} digits", None, None)
        return Line("invalid_json", str(error)[:200], None, None)
    if not isinstance(row, dict):
        return Line("not_an_object", f"a JSON {_kind(row)}, not an object", None, None)
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sig_hash = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    return Line("object", None, sig_hash, _storable(text, row, canonical))


def nesting(text: str) -> int:
    """Returns how deep lists and objects are nested, as far as that can be more than MAX_DEPTH; else 0."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in "]}":
            depth -= 1
    return deepest


def _storable(text: str, row: dict[str, Any], canonical: str) -> str:
    """The row as JSON text without what a column can't hold: numbers beyond a double, lone surrogates."""
    if "Infinity" in canonical:
        row = json.loads(text, parse_float=_finite)
    return _SURROGATE.sub("\ufffd", json.dumps(row, separators=(",", ":"), ensure_ascii=False))


def _finite(number: str) -> float:
    value = float(number)
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "boolean", int: "number", float: "number", str: "string", list: "list"}[type(value)]
