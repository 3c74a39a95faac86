"""A model that trains in milliseconds, and rows for it."""

from pathlib import Path

import pytest

from pipeline.weights.interface import Row

ROWS = [Row(f"What comes after {number}?", f"The next one is {number + 1}.") for number in range(5)]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the file of a tiny base."""
    for package in ("numpy", "gguf"):
        pytest.importorskip(package, reason="the extra local-train is not installed; make setup-train")
    from tools import tiny_llama

    return tiny_llama.write(tmp_path_factory.mktemp("base") / "tiny.gguf")
