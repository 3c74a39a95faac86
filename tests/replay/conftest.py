"""A published warehouse with a little evidence about one file, which tests copy."""

from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.replay.scene import publish


@pytest.fixture(scope="session")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("evidence"))


@pytest.fixture
def ready(evidence: Path, tmp_path: Path) -> Workspace:
    return Workspace(evidence).copy(tmp_path / "here")
