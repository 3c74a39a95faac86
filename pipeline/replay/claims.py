"""What an answer claims that can be looked up: paths, identifiers, codes, quotes, numbers and cited ids. No judgement here."""

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from pipeline.replay.words import words

_SPAN = re.compile(r"```[^\n`]*\n(.*?)```|``([^`]+)``|`([^`\n]+)`", re.DOTALL)
_QUOTES = re.compile(
    r'"([^"]{1,400})"|“([^”]{1,400})”|«([^»]{1,400})»|‘([^’]{2,400})’(?!\w)|(?<!\w)\'([^\'\n]{2,400})\'(?!\w)|^> ?(.+)$',
    re.MULTILINE,
)
_CITED = re.compile(r"(?<![\w-])(?:rag|sft|pref|playbook)-[\w-]*\w", re.IGNORECASE)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s<>()\[\]`\"']+", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w/.~-])(?:~|\.{1,2})?/?(?:[\w.@+-]+/)+(?:[\w.@+-]*\w)?(?::\d+)?|(?<![\w/])/\w[\w.-]*")
_CALL = re.compile(r"(?<![\w.])([A-Za-z_][\w.]*)\((?!e?s\))")
_DOTTED = re.compile(r"(?<![\w.-])[A-Za-z_][\w-]*(?:\.[A-Za-z_]\w*)+(?::\d+)?")
_SNAKE = re.compile(r"(?<!\w)(?:_+[A-Za-z]\w*|[A-Za-z][A-Za-z0-9]*_\w*)")
_CAMEL = re.compile(r"(?<!\w)(?:[A-Z]+[a-z0-9]+(?:[A-Z]+[a-z0-9]*)+|[a-z]+[0-9]*(?:[A-Z][A-Za-z0-9]*)+)(?!\w)")
_OPTION = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")
_CODE = re.compile(r"(?<![\w-])(?:[A-Z]{1,12}\d*-\d[\w-]*|[A-Z]{1,8}\d{2,}\w*)(?!\w)")
_HEX = re.compile(r"(?<!\w)(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}(?!\w)")
_JOINED = re.compile(r"(?<![\w.])v?\d+(?:[-:/.]\d+){2,}(?!\w)|(?<![\w.])v\d+(?:\.\d+)*(?!\w)|(?<![\w.:-])\d{1,2}:\d{2}(?!\w)")
_NUMBER = r"\d+(?:[.,]\d+)*"
_LISTED = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)

_TOKENS = (
    ("url", _URL),
    ("path", _PATH),
    ("code", _CODE),
    ("code", _HEX),
    ("code", _JOINED),
    ("option", _OPTION),
    ("identifier", _DOTTED),
    ("identifier", _SNAKE),
    ("identifier", _CAMEL),
)


class Claim(NamedTuple):
    """Something that stands in an answer and can be looked up.

    kind:  citation, path, url, identifier, call, code, option, span, quote or number
    token: as it stands there; of a number, the number and its unit in one spelling
    """

    kind: str
    token: str


def cleaned(text: str) -> str:
    """Returns a text without characters that nobody sees: a name that is cut by one reads as a whole."""
    return "".join(sign for sign in text if unicodedata.category(sign) != "Cf")


def cited(text: str) -> list[str]:
    """Returns the ids that a text names, in order."""
    return [found.group() for found in _CITED.finditer(text)]


def claims(text: str) -> list[Claim]:
    """Returns what a text claims, each claim once, in no order that means anything."""
    return list(dict.fromkeys(_claims(cleaned(text))))


def _claims(text: str) -> Iterator[Claim]:
    yield from (Claim("citation", token) for token in cited(text))
    text = _CITED.sub(" ", text)
    for found in _SPAN.finditer(text):
        block, double, single = found.groups()
        lines = block.splitlines() if block is not None else [double or single]
        yield from (Claim("span", line.strip()) for line in lines if line.strip())
    text = _SPAN.sub(lambda found: f" {found[1] or found[2] or found[3]} ", text)
    for found in _QUOTES.finditer(text):
        quote = next(part for part in found.groups() if part is not None).strip()
        if quote.strip(".,;:!?… "):
            yield Claim("quote", quote)
    yield from (Claim("call", found[1]) for found in _CALL.finditer(text))
    for kind, pattern in _TOKENS:
        yield from _of_kind(kind, pattern, text)
        text = pattern.sub(" ", text)
    yield from (Claim("number", token) for token in numbers(text))


def _of_kind(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[Claim]:
    for found in pattern.finditer(text):
        token = found.group().rstrip(".,;:!?'\"").rstrip("/")
        if token.strip("/.~") and token.casefold() not in words().common:
            yield Claim(kind, token)


def numbers(text: str) -> Iterator[str]:
    """Yields numbers with their units in one spelling, such as `7 s`; bare ones where they have two digits or more."""
    text = _LISTED.sub("\n", text)
    taken = []
    for found in _with_unit().finditer(text):
        taken.append(found.span())
        yield f"{_value(found[1])} {words().units[found[2].casefold()]}"
    for found in re.finditer(rf"([€$])\s?({_NUMBER})", text):
        taken.append(found.span())
        yield f"{_value(found[2])} {words().units[found[1]]}"
    for found in re.finditer(rf"(?:\b([A-Za-z]+)\s+|(?<![\w.]))#?({_NUMBER})(?!\w)", text):
        if any(start <= found.start(2) < end for start, end in taken):
            continue
        word = (found[1] or "").casefold()
        if word in words().before_numbers:
            yield f"{word.removesuffix('s') if word != 'status' else word} {_value(found[2])}"
        elif sum(map(str.isdigit, found[2])) > 1:
            yield _value(found[2])


@cache
def _with_unit() -> re.Pattern[str]:
    units = "|".join(re.escape(unit) for unit in sorted(words().units, key=len, reverse=True))
    spelled = "|".join(words().number_words)
    return re.compile(rf"(?<![\w.])({_NUMBER}|{spelled})(?:\s?-?\s?)({units})(?!\w)", re.IGNORECASE)


def _value(written: str) -> str:
    written = words().number_words.get(written.casefold(), written)
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", written):
        written = written.replace(",", "")
    if re.fullmatch(r"\d{1,30}(\.\d{1,30})?", written):
        plain = f"{Decimal(written):f}"
        return (plain.rstrip("0").rstrip(".") if "." in plain else plain).lstrip("0") or "0"
    return written
