"""The warehouse of the tests of replays serves here too."""

from tests.replay.conftest import evidence, ready

__all__ = ["evidence", "ready"]
