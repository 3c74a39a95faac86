"""What the tests share: a workspace with real folders, real Delta tables and the real command."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from pipeline import models
from pipeline.engine import Engine
from pipeline.models.tables import is_chronicle
from pipeline.reader import Warehouse
from pipeline.replay.model import KEYS
from pipeline.reports.receipts import Receipt
from pipeline.runner import Outcome, run_stages
from pipeline.settings import Gates, Settings, builtin_sql
from pipeline.store import owner
from pipeline.store.contents import Content

pytest.register_assert_rewrite("tests.support")
# The same examples every time, however long one takes.
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")

from tests.support.forked import Distill, borrowed, run_in  # noqa: E402
from tests.support.remembering import KEPT  # noqa: E402

if TYPE_CHECKING:
    from tests.support.states import History

RECORDED_AT = datetime(2026, 5, 1, tzinfo=UTC)
STAGES = ("collect", "score", "export-rag", "export-sft", "export-preference", "extract-playbooks", "index")


class Silent:
    """Watches a run and says nothing."""

    def stage(self, name: str) -> None: ...

    def advance(self, amount: int) -> None: ...

    def done(self, receipt: Receipt) -> None: ...


@dataclass
class Workspace:
    """A folder with data, a warehouse, exports and reports, and the ways to work on them."""

    root: Path
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = Settings(
            data=self.root / "data",
            warehouse=self.root / "warehouse",
            exports=self.root / "exports",
            reports=self.root / "reports",
            recorded_at=RECORDED_AT,
            # Small data is no faster on more; the tests of real commands, the oracle's and those of the sample take all.
            threads=1,
        )
        self.data.mkdir(parents=True, exist_ok=True)

    @property
    def data(self) -> Path:
        return self.settings.data

    def copy(self, root: Path) -> "Workspace":
        """Returns a copy in another folder: a warehouse may be moved. Source files look as before, so none is read again."""
        shutil.copytree(self.root, root, symlinks=True, dirs_exist_ok=True)
        return Workspace(root)

    def write(self, name: str, rows: Iterable[Mapping[str, Any] | str | bytes]) -> Path:
        """Appends rows to a stream file; texts and bytes go in as they are, as lines."""
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            for row in rows:
                line = row if isinstance(row, bytes) else row.encode() if isinstance(row, str) else json.dumps(row).encode()
                stream.write(line + b"\n")
        return path

    def run(self, command: str = "run-all", *, gates: Gates | None = None, **changes: Any) -> Outcome:
        """Runs a command in this process; a failed gate is in the outcome."""
        settings = replace(self.settings, gates=gates or self.settings.gates, **changes)
        return run_stages(settings, Silent(), command)

    def passed(self, command: str = "run-all", **changes: Any) -> Outcome:
        """Runs a command that must pass."""
        outcome = self.run(command, **changes)
        assert outcome.failure is None, outcome.failure
        return outcome

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.settings.warehouse)

    def rows(self, table: str, **when: Any) -> list[dict[str, Any]]:
        """Returns a table as it is published."""
        found: list[dict[str, Any]] = self.warehouse.arrow(table, **when).to_pylist()
        return found

    def exported(self, name: str) -> list[dict[str, Any]]:
        """Returns the rows of a published file."""
        path = self.settings.exports / name
        return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]

    def files(self) -> dict[str, bytes]:
        """Returns every file below exports/ but the lock, and the mark that says whose the folder is."""
        root = self.settings.exports
        found = (p for p in sorted(root.rglob("*")) if p.is_file() and p.name not in (owner.LOCK, owner.MARK))
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in found}

    def hashes(self) -> dict[str, str]:
        """Returns the content hash of every table that has one."""
        return {name: held.sha256 for name, held in self._tables().items() if name != "raw.files"}

    def versions(self) -> dict[str, int]:
        """Returns the published version of every table but the receipts."""
        return {name: held.delta_version for name, held in self._tables().items()}

    def _tables(self) -> dict[str, Content]:
        return {name: held for name, held in self.warehouse.snapshot().tables.items() if not is_chronicle(name)}

    def command(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Runs the real `distill` in a process of its own, with the folders of this workspace."""
        with borrowed() as distill:
            done = run_in(distill, self, *arguments, at=self.root, environment=environment)
        return subprocess.CompletedProcess(arguments, done.code, done.out, done.err)

    def environment(self) -> dict[str, str]:
        settings = self.settings
        return os.environ | {
            "DISTILL_DATA": str(settings.data),
            "DISTILL_WAREHOUSE": str(settings.warehouse),
            "DISTILL_EXPORTS": str(settings.exports),
            "DISTILL_REPORTS": str(settings.reports),
            "PYTHONPATH": str(Path(__file__).parent.parent),
        }


def statuses(outcome: Outcome) -> dict[str, str]:
    """Returns what each stage of a run did."""
    return {receipt["stage"]: receipt["status"] for receipt in outcome.receipts}


@pytest.fixture(scope="session", autouse=True)
def acceptance_kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where commands remember what acceptance found: one folder for all workers, new for every session."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "acceptance"
    folder.mkdir(exist_ok=True)
    os.environ[KEPT] = str(folder)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell has what it starts in the background ignore Ctrl-C; what tests start must hear it all the same."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows the key of whoever runs it."""
    for name in (*KEYS, *(name for name in os.environ if name.startswith("OPENAI_"))):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with our functions and nothing else."""
    engine = Engine(models.load([builtin_sql()]).functions.sql, threads=1, spill=tmp_path_factory.mktemp("spill"))
    yield engine
    engine.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def distill() -> Iterator[Distill]:
    """The real command, in processes of its own."""
    with borrowed() as distill:
        yield distill


@pytest.fixture
def second(tmp_path: Path) -> Workspace:
    """Another warehouse, for what must come out the same twice."""
    return Workspace(tmp_path / "second")


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> "History":
    """A warehouse with five published states, which tests copy before they change it."""
    from tests.support.states import make_history

    return make_history(tmp_path_factory.mktemp("history"))
