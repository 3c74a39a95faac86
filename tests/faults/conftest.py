"""What the tests of faults share; and the count of what they injected, held against docs/faults.md and the README."""

import os
from functools import cache
from typing import Any

import pytest

from pipeline import reader
from pipeline.models import tables

pytest.register_assert_rewrite("tests.faults.scene")

from tests.faults.record import PAGE, README, Faults, Tally, page, total, write  # noqa: E402
from tests.faults.scene import Scene, make_scene  # noqa: E402

RECORD = bool(os.environ.get("DISTILL_RECORD"))


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Faults:
    return Faults(request.node.user_properties)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture(autouse=True)
def declarations_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "load_tables", cache(tables.load))


class Count:
    """Adds up what the workers report, and judges when all of the suite ran and passed."""

    def __init__(self) -> None:
        self.tally, self.whole, self.said = Tally(), True, ""

    def pytest_deselected(self) -> None:
        self.whole = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.tally.add(report.user_properties)
        self.whole &= report.passed

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        asked = [session.config.rootpath / argument for argument in session.config.args]
        if asked != [session.config.rootpath / "tests/faults"] or not self.whole or session.testsfailed:
            return
        if RECORD and not self.tally.missing:
            write(self.tally.injected)
        held = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        amount = sum(self.tally.all.values())
        if held != page(self.tally.all) or total(README.read_text(encoding="utf-8")) != amount:
            self.said = f"docs/faults.md or README.md does not say the {amount} faults of this suite: run `make faults-report`"
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for kind, amount in sorted(self.tally.injected.items()):
            terminalreporter.write_line(f"{amount:>5}  {kind}")
        terminalreporter.write_line(f"{sum(self.tally.injected.values()):>5}  faults injected, and nothing was lost")
        for line in (*sorted(self.tally.reasons), self.said):
            terminalreporter.write_line(line)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Count(), "faults-count")
