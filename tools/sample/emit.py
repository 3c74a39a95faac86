"""Writes blocks to files: the sample, a bench of any size, or an append to what is there."""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import orjson

from tools.sample.block import Block, build_block
from tools.sample.clock import block_after
from tools.sample.corpus import PATH_MARK, known_paths, marked
from tools.sample.entries import STREAMS

# So many different blocks are composed; a larger bench repeats their texts under other names.
_DIFFERENT_BLOCKS = 12
# The stream whose last line tells how far a directory's calendar goes.
_PACEMAKER = "scrum_reviews"


def write_sample(out: Path, seed: int) -> range:
    """Writes the sample; returns the block numbers used."""
    _clear(out)
    _append_block(out, _block(seed, 0), 0, 1.0)
    return range(1)


def write_bench(out: Path, seed: int, total_bytes: int) -> range:
    """Writes about so many bytes over all streams; returns the block numbers used."""
    _clear(out)
    return _append_bytes(out, seed, 1, total_bytes)


def append_share(out: Path, seed: int, share: float) -> range:
    """Appends about that share of the present size, later in time; returns the block numbers used."""
    present = sum((out / f"{stream}.jsonl").stat().st_size for stream in STREAMS)
    return _append_bytes(out, seed, block_after(_last_instant(out)), int(present * share))


def known_paths_of(blocks: range) -> list[str]:
    """The repository's paths as the given blocks name them, sorted."""
    return sorted(path for block in blocks for path in _paths_of(block))


def _paths_of(block: int) -> Iterator[str]:
    suffix = f"_{block}" if block else ""
    for path in known_paths():
        yield marked(path).replace(PATH_MARK, suffix)


def _append_bytes(out: Path, seed: int, first_block: int, total_bytes: int) -> range:
    written, number = 0, first_block
    while written < total_bytes:
        block = _block(seed, number)
        size = sum(len(stream.whole) for stream in block.values())
        written += _append_block(out, block, number, min(1.0, (total_bytes - written) / size))
        number += 1
    return range(first_block, number)


def _append_block(out: Path, block: Block, number: int, share: float) -> int:
    written = 0
    for name, stream in block.items():
        with (out / f"{name}.jsonl").open("ab") as file:
            written += file.write(stream.render(number, share))
    return written


def _block(seed: int, number: int) -> Block:
    return _composed(seed, 1 + number % _DIFFERENT_BLOCKS if number else 0)


@lru_cache(maxsize=_DIFFERENT_BLOCKS + 1)
def _composed(seed: int, which: int) -> Block:
    return build_block(f"{seed}/{which}")


def _clear(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for stream in STREAMS:
        (out / f"{stream}.jsonl").write_bytes(b"")


def _last_instant(out: Path) -> int:
    with (out / f"{_PACEMAKER}.jsonl").open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - 65_536))
        last = file.read().splitlines()[-1]
    return int(datetime.fromisoformat(orjson.loads(last)["created_at"]).timestamp() * 1000)
