"""Ctrl-C and SIGTERM: one line, the right exit code, at once, and nothing left behind, wherever a command is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.support.killing import review

# Much longer than it takes, however slow a machine is: what is waited for comes, or the test fails.
DEADLINE = 120
FOREVER = "select count(*) as n from range(1000000000000) t(i) where i % 7 = 3"
ENDLESS = "select i from range(1000000000000) t(i)"
# Has the command say when it has come so far, and go on. `{place}` is a function, `{module}` where it is looked up.
ARRIVING = """
import importlib, sys
owner = importlib.import_module({module!r})
for part in {place!r}.split(".")[:-1]:
    owner = getattr(owner, part)
name = {place!r}.split(".")[-1]
inner = getattr(owner, name)

def arrived(*arguments, **named):
    open({sign!r}, "w").close()
    return inner(*arguments, **named)

setattr(owner, name, arrived)
sys.argv[0] = "distill"
from pipeline.cli import main
main()
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("published"))
    workspace.write("scrum_reviews.jsonl", [review(n) for n in range(4)])
    workspace.passed()
    return workspace


def until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None, f"it ended before it was interrupted: {process.communicate()}"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def started(
    workspace: Workspace, tmp_path: Path, module: str, place: str, arguments: Sequence[str]
) -> "subprocess.Popen[bytes]":
    """Starts a command in a session of its own, and waits until it calls a function."""
    sign = tmp_path / "arrived"
    code = ARRIVING.format(module=module, place=place, sign=str(sign))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=workspace.environment() | {"TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until(sign.exists, process)
    return process


def session_of(process: "subprocess.Popen[bytes]") -> Iterator[int]:
    """Yields the living processes of a session."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == process.pid and fields[0] != "Z":
            yield int(folder.name)


def ends(process: "subprocess.Popen[bytes]", number: signal.Signals, name: str, tmp_path: Path) -> None:
    _, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, err.decode()) == (128 + number, f"distill: stopped by {name}\n")
    deadline = time.monotonic() + DEADLINE
    while list(session_of(process)):
        assert time.monotonic() < deadline, "a process of it is left"
        time.sleep(0.01)
    assert list((tmp_path / "temporary").iterdir()) == []


QUERIES = {
    "csv": ("sql", FOREVER, "--format", "csv"),
    "endless csv": ("sql", ENDLESS, "--format", "csv"),
    "parquet": ("sql", ENDLESS, "--format", "parquet", "--output", "{}/found.parquet"),
    "explain": ("sql", f"explain analyze {FOREVER}"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_long_query(published: Workspace, tmp_path: Path, name: str) -> None:
    arguments = [part.replace("{}", str(tmp_path)) for part in QUERIES[name]]
    process = started(published, tmp_path, "pipeline.engine.connection", "Engine.read", arguments)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    ends(process, signal.SIGINT, "Ctrl-C", tmp_path)
    assert not list(tmp_path.glob("*.parquet")) and not list(tmp_path.glob(".distill-*"))


def test_a_termination(published: Workspace, tmp_path: Path) -> None:
    process = started(published, tmp_path, "pipeline.engine.connection", "Engine.read", ("sql", FOREVER))
    process.terminate()
    ends(process, signal.SIGTERM, "SIGTERM", tmp_path)


MOMENTS = {
    "being loaded": ("pipeline.engine.connection", "Engine.__init__"),
    "landing": ("pipeline.collect.landing", "ordered_map"),
    "a statement": ("pipeline.engine.connection", "Engine.write_parquet"),
    "a commit": ("pipeline.store.delta", "write_deltalake"),
    "publishing": ("pipeline.store.snapshots", "publish"),
    "moving files": ("pipeline.export.files", "put_in_place"),
}


@pytest.mark.parametrize(("moment", "times"), list(zip(MOMENTS, cycle([1, 2]), strict=False)))
def test_a_run(published: Workspace, tmp_path: Path, moment: str, times: int) -> None:
    """Whoever pressed, once or twice, finds the warehouse as it was before the run or after it, and runs go on."""
    workspace = published.copy(tmp_path / "copy")
    workspace.write("scrum_reviews.jsonl", [review(4)])
    process = started(workspace, tmp_path, *MOMENTS[moment], ("run-all",))
    for _ in range(times):
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE)
    # It may have been done just then.
    assert (process.returncode, err.decode()) in ((130, "distill: stopped by Ctrl-C\n"), (0, "")), err
    workspace.passed()
    assert len(workspace.rows("evidence.records")) == 5


def test_workers_are_not_left(workspace: Workspace, tmp_path: Path) -> None:
    """As a terminal does it: every process of the session hears it."""
    line = review(0) | {"review": "x" * 1_000_000}
    for part in range(60):
        workspace.write("scrum_reviews.jsonl", [line | {"file": f"{part}.py"}])
    process = started(workspace, tmp_path, "pipeline.parallel", "_worker", ("run-all",))
    until(lambda: len(list(session_of(process))) > 1, process)
    os.killpg(process.pid, signal.SIGINT)
    ends(process, signal.SIGINT, "Ctrl-C", tmp_path)


def test_tests_of_a_release_are_ended_with_all_that_they_started(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom pipeline import keyboard\nfrom pipeline.release import suite\n"
        "with keyboard.listening(until_exit=True):\n"
        "    try:\n"
        f"        suite.failures('sleep 1000 & touch {tmp_path}/arrived; wait', Path.cwd(), Path({str(tmp_path)!r}))\n"
        "    except BaseException:\n"
        "        raise SystemExit(keyboard.report_interruption())\n"
    )
    (tmp_path / "temporary").mkdir()
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, start_new_session=True)
    until((tmp_path / "arrived").exists, process)
    process.send_signal(signal.SIGINT)
    ends(process, signal.SIGINT, "Ctrl-C", tmp_path)


def test_a_reader_that_never_reads(published: Workspace) -> None:
    """Output that nobody takes blocks the command, also while it ends."""
    command = [sys.executable, "-m", "pipeline", "sql", ENDLESS, "--format", "csv"]
    with subprocess.Popen(command, env=published.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(1)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=DEADLINE) == 130
        assert process.stderr.read() == b"distill: stopped by Ctrl-C\n"
