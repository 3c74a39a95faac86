"""How a value inside a row is read (contracts section 2): texts, numbers, booleans, lists, times.

Choices where the page is silent:
- Text columns keep the row's text exactly, blank or not, but for lone surrogates: each becomes U+FFFD.
- bigint: a number that is integral in value (3, 3.0, 3e0) and fits 64 signed bits, else null. Numbers with a
  fraction or an exponent are doubles, as in any JSON parser. double: the nearest finite double, else null.
- `phase` and `finding_id` as integer: the same rule, written in decimal (3.0 -> "3").
- Lists of texts keep their non-blank JSON strings in order; a value that is not an array is an empty list.
- Lower case maps each character by itself to one character ("\\u0130" -> "i", and no final sigma).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from .landing import Row, is_blank, trim

_DATE_AND_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_UNDERSCORE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})_([0-9]{2})-([0-9]{2})-([0-9]{2})")
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})?")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(row: Row, key: str | None) -> str | None:
    """A JSON string exactly as it is, lone surrogates replaced; anything else is null."""
    value = row.get(key) if key is not None else None
    return _LONE_SURROGATE.sub("\ufffd", value) if isinstance(value, str) else None


def text_or_integer(row: Row, key: str) -> str | None:
    """A JSON string, or an integer in decimal."""
    integer = bigint(row, key)
    return text(row, key) if integer is None else str(integer)


def texts(row: Row, key: str) -> list[str]:
    """The non-blank JSON strings of an array, in order."""
    return [item for item in strings(row, key) if not is_blank(item)]


def strings(row: Row, key: str) -> list[str]:
    """All JSON strings of an array, in order; empty if it is no array."""
    value = row.get(key)
    items = value if isinstance(value, list) else []
    return [_LONE_SURROGATE.sub("\ufffd", item) for item in items if isinstance(item, str)]


def lowered(row: Row, key: str) -> str | None:
    """A JSON string, trimmed and in lower case; blank is null."""
    value = text(row, key)
    if value is None or is_blank(value):
        return None
    return "".join("i" if character == "\u0130" else character.lower() for character in trim(value))


def number(row: Row, key: str) -> int | Decimal | None:
    """A JSON number, with a fraction or an exponent as the nearest double; true and false are no numbers."""
    value = row.get(key)
    if isinstance(value, Decimal):
        nearest = float(value)
        return Decimal(nearest) if math.isfinite(nearest) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def bigint(row: Row, key: str) -> int | None:
    """A JSON number that is integral in value and fits 64 signed bits."""
    value = number(row, key)
    if value is None or not -(2**63) <= value < 2**63:
        return None
    if value != 0 and -1 < value < 1:
        return None
    return int(value) if int(value) == value else None


def double(row: Row, key: str) -> float | None:
    """The double nearest to a JSON number; null beyond the finite ones."""
    value = number(row, key)
    if value is None:
        return None
    try:
        nearest = float(value)
    except OverflowError:
        return None
    return nearest if math.isfinite(nearest) else None


def boolean(row: Row, key: str) -> bool | None:
    """A JSON true or false."""
    value = row.get(key)
    return value if isinstance(value, bool) else None


def inner(row: Row, key: str) -> Row:
    """A JSON object inside the row; anything else is as good as an empty one."""
    value = row.get(key)
    return value if isinstance(value, dict) else {}


def otherwise(*choices: str | None) -> str | None:
    """The first that is not blank, else null."""
    return next((choice for choice in choices if not is_blank(choice)), None)


def joined(*parts: str | None) -> str | None:
    """The parts put together; null if one of them is blank."""
    if any(is_blank(part) for part in parts):
        return None
    return "".join(part for part in parts if part is not None)


# --- what can't be read ------------------------------------------------------------------------------------


def is_unreadable(row: Row, path: str, kind: str) -> bool:
    """True where the value of `path` (keys with dots between them) is there, not null, and not what `kind` says.

    Kinds: text, boolean, whole (a whole number that fits 64 bits), number, share (0 to 1), label (text or whole), texts (a list
    of nothing but texts), object, thumb (text, whole number or boolean).
    """
    *outer, key = path.split(".")
    for name in outer:
        row = inner(row, name)
    return row.get(key) is not None and not _READABLE[kind](row, key)


def _is_share(row: Row, key: str) -> bool:
    value = double(row, key)
    return value is not None and 0 <= value <= 1


def _is_list_of_texts(row: Row, key: str) -> bool:
    value = row[key]
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_READABLE: dict[str, Callable[[Row, str], bool]] = {
    "text": lambda row, key: isinstance(row[key], str),
    "boolean": lambda row, key: isinstance(row[key], bool),
    "whole": lambda row, key: bigint(row, key) is not None,
    "number": lambda row, key: double(row, key) is not None,
    "share": _is_share,
    "label": lambda row, key: text_or_integer(row, key) is not None,
    "texts": _is_list_of_texts,
    "object": lambda row, key: isinstance(row[key], dict),
    "thumb": lambda row, key: isinstance(row[key], bool) or text_or_integer(row, key) is not None,
}


# --- times ------------------------------------------------------------------------------------------------


def read_time(value: object) -> datetime | None:
    """An instant in UTC, exact to the microsecond (finer digits are cut off), or null if unreadable.

    Texts, not trimmed, ASCII digits only: `YYYY-MM-DD`; that, `T` or a space, `hh:mm` or `hh:mm:ss` or
    `hh:mm:ss` with `.` or `,` and 1-9 digits, then nothing (UTC), `Z`, `z`, `+hh`, `+hhmm` or `+hh:mm`
    (offsets below 24 hours); `YYYY-MM-DD_HH-MM-SS` (UTC). 24:00 and second 60 do not exist here.
    Numbers: from 1e11 on milliseconds, below seconds. Years 1 to 9999 in UTC.
    """
    try:
        if isinstance(value, str):
            return read_time_text(value)
        if isinstance(value, Decimal):
            return read_time_number(Decimal(repr(float(value))))
        if isinstance(value, int) and not isinstance(value, bool):
            return read_time_number(Decimal(value))
    except (ValueError, OverflowError):
        pass
    return None


def read_time_text(value: str) -> datetime | None:
    """See `read_time`. Raises ValueError or OverflowError for a date that does not exist."""
    if match := _UNDERSCORE.fullmatch(value):
        year, month, day, hour, minute, second = (int(part) for part in match.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    if match := _DATE_AND_TIME.fullmatch(value):
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        microsecond = int((match.group(7) or "").ljust(6, "0")[:6])
        local = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)
        return local - utc_offset(match.group(8) or "Z")
    return None


def utc_offset(notation: str) -> timedelta:
    """`Z`, `z` or a signed offset. Raises ValueError from 24 hours or 60 minutes on."""
    match = _OFFSET.fullmatch(notation)
    if match is None:
        return timedelta(0)
    hours, minutes = int(match.group(2)), int(match.group(3) or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(notation)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if match.group(1) == "-" else offset


def read_time_number(value: Decimal) -> datetime:
    """See `read_time`. Raises ValueError or OverflowError out of range."""
    if not value.is_finite() or abs(value) > Decimal("1e17"):
        raise ValueError("out of range")
    microseconds_each = 1_000 if value >= Decimal("1e11") else 1_000_000
    return _EPOCH + timedelta(microseconds=math.floor(Fraction(value) * microseconds_each))
