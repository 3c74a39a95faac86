"""What happens to files: cut off, emptied, zeroed, garbled, lost, or with a few bits turned over."""

import random
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path, random.Random], None]


def truncated(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(1, len(content))])


def emptied(path: Path, chance: random.Random) -> None:
    path.write_bytes(b"")


def zeroed(path: Path, chance: random.Random) -> None:
    """As a power cut leaves it: the size is right, and from somewhere on there are zeros."""
    content = path.read_bytes()
    kept = chance.randrange(len(content) // 2)
    path.write_bytes(content[:kept] + bytes(len(content) - kept))


def garbled(path: Path, chance: random.Random) -> None:
    path.write_bytes(chance.randbytes(path.stat().st_size))


def lost(path: Path, chance: random.Random) -> None:
    path.unlink()


def flipped(path: Path, chance: random.Random) -> None:
    """Three bits, anywhere."""
    content = bytearray(path.read_bytes())
    for _ in range(3):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(content))


WAYS: dict[str, Damage] = {way.__name__: way for way in (truncated, emptied, zeroed, garbled, lost, flipped)}


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: (path.stat().st_mtime_ns, path.name))
