"""The hashes as the contract defines them, worked out with the standard library alone: what landing says is not believed."""

import hashlib
import json
from collections.abc import Sequence

PREFIXES = {"rag": "rag", "sft": "sft", "preference": "pref"}


def row_id(export: str, texts: Sequence[str]) -> str:
    """Returns the id of an exported row: its prefix and 16 hex digits of its texts' sha256, each text behind its length."""
    return _id(export, texts if len(texts) == 1 else [f"{len(text)}:{text}" for text in texts])


def earlier_row_id(export: str, texts: Sequence[str]) -> str:
    """Returns the id that releases gave which joined texts without their lengths: states of then still hold such rows."""
    return _id(export, texts)


def _id(export: str, texts: Sequence[str]) -> str:
    return f"{PREFIXES[export]}-{hashlib.sha256(chr(31).join(texts).encode()).hexdigest()[:16]}"


def playbook_id(title: str) -> str:
    """Returns the id of a title's playbook."""
    return f"playbook-{hashlib.sha256(title.encode()).hexdigest()[:16]}"


def line_sha256(line: bytes) -> str:
    """Returns the sha256 of a line's exact bytes."""
    return hashlib.sha256(line).hexdigest()


def text_sha256(text: str | None) -> str | None:
    """Returns the sha256 of a text; null has none."""
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def sig_hash(line: bytes, offset: int) -> str | None:
    """Returns the sha256 of a line's row in canonical form; None where the line is no JSON object.

    The first line of a file, at `offset` 0, may begin with a byte order mark, which is not part of the row.
    """
    try:
        text = line.decode()
        row = json.loads(text.removeprefix("\ufeff") if offset == 0 else text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
