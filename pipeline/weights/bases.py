"""Which base is trained and adapted: the embedded weights, and the hash that every adapter names."""

from functools import lru_cache
from pathlib import Path

from pipeline.disk import file_sha256, stamp
from pipeline.errors import UsageError
from pipeline.replay import embedded


def named(base: Path | None = None) -> Path:
    """Returns the file of a base: the embedded weights, where none is named. Raises UsageError where they are not installed."""
    path = base or embedded.weights()
    if path is None:
        raise UsageError(embedded.MISSING)
    return path


def sha256_of(base: Path) -> str:
    """Returns the hash of a base; within one process a file is read once while it looks the same."""
    return _hashed(base, tuple(stamp(base)))


@lru_cache(8)
def _hashed(base: Path, looks: tuple[int, ...]) -> str:
    return file_sha256(base)
