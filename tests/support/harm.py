"""Harm to what the product writes."""

from collections.abc import Callable
from typing import IO

import pytest

from pipeline.export import splicing


def harmful_write(monkeypatch: pytest.MonkeyPatch, harm: Callable[[bytes], bytes]) -> None:
    """Blocks of a spliced file reach it with some harm."""
    write = splicing._write

    def harmed(out: IO[bytes], block: bytes) -> None:
        write(out, harm(block))

    monkeypatch.setattr(splicing, "_write", harmed)
