"""A block, compiled: per stream the JSON lines with holes for the block's number and the times."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from random import Random

import orjson

from tools.sample.clock import NOTATIONS, at
from tools.sample.corpus import NUMBER_MARK, PATH_MARK
from tools.sample.dirt import repeat_lines, soil
from tools.sample.entries import STREAMS, Entry, block_entries
from tools.sample.fleet import Row

_TIME_MARK = "\ue002"
_NUMBER_HOLE = NUMBER_MARK.encode()
_PATH_HOLE = PATH_MARK.encode()
_TIME_HOLE = f'"{_TIME_MARK}"'.encode()

# Stream -> its time field and the notations of its writers with their shares.
_TIMES: dict[str, tuple[str, tuple[tuple[str, int], ...]]] = {
    "scrum_reviews": ("created_at", (("zulu", 80), ("office", 20))),
    "observer_reviews": ("ts", (("epoch_ms", 100),)),
    "audits": ("ts", (("offset", 85), ("naive", 15))),
    "contract_analyses": ("created_at", (("zulu", 100),)),
    "auto_apply": ("ts", (("file_stamp", 100),)),
    "outcomes": ("created_at", (("zulu", 70), ("office", 30))),
    "mode_experiments": ("created_at", (("office", 60), ("epoch_s", 40))),
    "audit_facts": ("ts", (("zulu", 100),)),
    "distilled_facts": ("created_at", (("zulu", 90), ("offset", 10))),
    "distilled_procedures": ("created_at", (("zulu", 100),)),
    "distilled_config_hints": ("created_at", (("epoch_ms", 100),)),
    "observer_escalations": ("ts", (("offset", 100),)),
}
# These writers put the time at the front of the row; the others at its end.
_TIME_FIRST = {"observer_reviews", "audits", "auto_apply", "audit_facts", "observer_escalations"}

Moment = tuple[int, Callable[[int], str]]


@dataclass(frozen=True)
class CompiledStream:
    """Lines with holes, and the moment of each line that has one (a line without a time has none)."""

    lines: tuple[bytes, ...]
    moments: tuple[Moment | None, ...]

    @cached_property
    def whole(self) -> bytes:
        return b"".join(self.lines)

    def render(self, block: int, share: float = 1.0) -> bytes:
        """The text of the first `share` of the lines (at least one), under a block's number and calendar."""
        count = max(1, round(len(self.lines) * share))
        body = self.whole if count >= len(self.lines) else b"".join(self.lines[:count])
        # The sample is the repository itself; later blocks are numbered variations of its files and tasks.
        number = str(block).encode() if block else b""
        body = body.replace(_NUMBER_HOLE, number).replace(_PATH_HOLE, b"_" + number if block else b"")
        times = [notation(at(block, ms)).encode() for ms, notation in filter(None, self.moments[:count])]
        pieces = body.split(_TIME_HOLE)
        return b"".join([*chain.from_iterable(zip(pieces, times, strict=False)), pieces[-1]])


Block = dict[str, CompiledStream]


def build_block(seed: str) -> Block:
    """The block that a seed stands for, compiled."""
    rng = Random(seed)
    entries = block_entries(rng)
    soil(entries, rng)
    notations = {stream: _draw_notations(stream, rng) for stream in STREAMS}
    ordered = {stream: _in_log_order(entries, stream, rng) for stream in STREAMS}
    return {stream: _compile(stream, ordered[stream], notations[stream]) for stream in STREAMS}


def _draw_notations(stream: str, rng: Random) -> Callable[[int], Callable[[int], str]]:
    """Chooses a notation by instant, so that a repeated line is written as it was the first time."""
    names = [name for name, share in _TIMES[stream][1] for _ in range(share)]
    salt = rng.randrange(len(names))
    return lambda ms: NOTATIONS[names[(ms * 31 + salt) % len(names)]]


def _in_log_order(entries: list[Entry], stream: str, rng: Random) -> list[Entry]:
    """The stream's entries as an append-only log has them."""
    log = sorted((entry for entry in entries if entry.stream == stream), key=lambda entry: entry.at_ms)
    repeat_lines(log, stream, rng)
    return log


def _compile(stream: str, entries: list[Entry], notation: Callable[[int], Callable[[int], str]]) -> CompiledStream:
    lines = tuple(orjson.dumps(_with_time_hole(stream, entry)) + b"\n" for entry in entries)
    moments = tuple((entry.at_ms, notation(entry.at_ms)) if entry.timed else None for entry in entries)
    return CompiledStream(lines, moments)


def _with_time_hole(stream: str, entry: Entry) -> Row:
    if not entry.timed:
        return entry.row
    hole: Row = {_TIMES[stream][0]: _TIME_MARK}
    return hole | entry.row if stream in _TIME_FIRST else entry.row | hole
