"""A published warehouse with a little evidence about one file, which tests copy."""

import os
import shutil
from pathlib import Path

import pytest

from pipeline.replay.model import KEYS
from tests.conftest import Workspace
from tests.replay.scene import publish


@pytest.fixture(scope="session")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("evidence"))


@pytest.fixture
def ready(evidence: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(evidence, tmp_path / "here")
    return Workspace(tmp_path / "here")


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEYS, *(name for name in os.environ if name.startswith("OPENAI_"))):
        monkeypatch.delenv(name, raising=False)
