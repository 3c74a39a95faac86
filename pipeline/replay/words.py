"""The words that the gate goes by, read from words.toml."""

import hashlib
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

# Raise the number with any change to claims.py, grounds.py, gate.py or prompt.py after which the log would come out otherwise:
# the audit computes again what this gate judged, and leaves the work of others alone.
VERSION = 1
_FILE = Path(__file__).with_name("words.toml")


class Words(NamedTuple):
    """Limits and lists of the gate; `units` leads from every spelling of a unit to the first of its line."""

    least_words: int
    most_words: int
    shared_with_checklist: int
    shared_with_cited: float
    most_repeats: int
    hedging: tuple[str, ...]
    units: dict[str, str]
    before_numbers: frozenset[str]
    number_words: dict[str, str]
    common: frozenset[str]
    stop_words: frozenset[str]


@cache
def words() -> Words:
    held: dict[str, Any] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return Words(
        least_words=held["least_words"],
        most_words=held["most_words"],
        shared_with_checklist=held["shared_with_checklist"],
        shared_with_cited=held["shared_with_cited"],
        most_repeats=held["most_repeats"],
        hedging=tuple(held["hedging"]),
        units={spelling: same[0] for same in held["units"] for spelling in same},
        before_numbers=frozenset(held["before_numbers"]),
        number_words={word: str(number) for number, word in enumerate(held["number_words"])},
        common=frozenset(held["common"]),
        stop_words=frozenset(held["stop_words"]),
    )


@cache
def gate_name() -> str:
    """Returns which gate this is: its version, and a hash of its words."""
    return f"{VERSION}:{hashlib.sha256(_FILE.read_bytes()).hexdigest()[:16]}"
