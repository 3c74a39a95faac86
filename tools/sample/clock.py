"""Times: where a block lies on the calendar, and the notations that the streams' writers use."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from tools.sample.plan import SPAN_MS

# Monday, 6 April 2026, 00:00 UTC; the sample (block 0) covers the four weeks from here.
SAMPLE_START_MS = int(datetime(2026, 4, 6, tzinfo=UTC).timestamp() * 1000)
LATER_START_MS = SAMPLE_START_MS + SPAN_MS
# Later blocks are squeezed: a larger company, not the same one over a century.
LATER_SPAN_MS = 6 * 3_600_000

_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFICE_OFFSET_MS = 2 * 3_600_000


def at(block: int, within_ms: int) -> int:
    """The instant (ms since 1970) of a block's inner time, which runs from 0 to SPAN_MS."""
    if block == 0:
        return SAMPLE_START_MS + within_ms
    return LATER_START_MS + (block - 1) * LATER_SPAN_MS + within_ms * LATER_SPAN_MS // SPAN_MS


def block_after(instant_ms: int) -> int:
    """The first block that starts after an instant."""
    return max(0, (instant_ms - LATER_START_MS) // LATER_SPAN_MS + 1) + 1


@lru_cache(maxsize=1024)
def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).strftime("%Y-%m-%d")


_CLOCK = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86_400)]


def _seconds(ms: int) -> str:
    return f"{_day(ms // _DAY_MS)}T{_CLOCK[ms % _DAY_MS // 1000]}"


def _zulu(ms: int) -> str:
    return f'"{_seconds(ms)}.{ms % 1000:03}Z"'


def _offset(ms: int) -> str:
    return f'"{_seconds(ms)}.{ms % 1000:03}000+00:00"'


def _office(ms: int) -> str:
    return f'"{_seconds(ms + _OFFICE_OFFSET_MS)}+02:00"'


def _naive(ms: int) -> str:
    return f'"{_seconds(ms)}"'


def _file_stamp(ms: int) -> str:
    return f'"{_day(ms // _DAY_MS)}_{_CLOCK[ms % _DAY_MS // 1000].replace(":", "-")}"'


def _epoch_ms(ms: int) -> str:
    return str(ms)


def _epoch_s(ms: int) -> str:
    return str(ms // 1000)


# Each turns an instant into the JSON text of one notation.
NOTATIONS: dict[str, Callable[[int], str]] = {
    "zulu": _zulu,
    "offset": _offset,
    "office": _office,
    "naive": _naive,
    "file_stamp": _file_stamp,
    "epoch_ms": _epoch_ms,
    "epoch_s": _epoch_s,
}
