"""The real command in a process of its own, quickly: a warmed interpreter (forked_server.py) forks one per command.

A command may be told to die by SIGKILL, or to wait, just before or after its N-th durable step. A step is whatever
changes what the next process finds on disk: a Delta commit, a file moved, made or removed. Steps inside of a step are
not counted apart. Or it dies so many seconds after it began, wherever it is.
"""

import atexit
import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tests.conftest import Workspace

Item = TypeVar("Item")

AT_ONCE = 2
REPOSITORY = Path(__file__).parent.parent.parent
JOBS = "jobs"  # the folder of a workspace where the output of commands goes
WATCHED = "tree "
# The commands that bring stages up to date.
RUNS = (
    "run-all",
    "land",
    "build-evidence",
    "score",
    "export-rag",
    "export-sft",
    "export-preference",
    "extract-playbooks",
    "export-all",
    "index",
)
UNFINISHED = (".draft", ".draft.wal", ".lock", ".probe")


@dataclass(frozen=True)
class Stop:
    """Where a command stops. `number` counts durable steps from 1; `text` names the first step that has it, instead.

    do: `kill` dies by SIGKILL
        `wait` makes the file `waiting` and waits for the file `go`
        `watch` notes the state of all files around every step
        `expire` dies by SIGKILL after so many seconds
    """

    number: int = 0
    after: bool = False
    do: str = "kill"
    text: str = ""
    seconds: float = 0


@dataclass(frozen=True)
class Job:
    """One command to run, and where its output goes.

    at:         the current folder
    file_bytes: no file may grow beyond this, if it is not 0; steps are not counted then
    mortal:     file modes hold for it even where it runs as root
    """

    arguments: Sequence[str]
    folder: str
    at: str
    environment: Mapping[str, str]
    stop: Stop | None
    file_bytes: int
    mortal: bool

    @property
    def go(self) -> Path:
        return Path(self.folder, "go")


@dataclass(frozen=True)
class Done:
    """What became of a command. `steps` are the durable steps that it began; `code` is negative for a signal."""

    code: int
    out: str
    err: str
    steps: list[str]

    @property
    def text(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Distill:
    """Runs `distill` commands, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )

    def run(self, job: Job) -> Done:
        """Runs a command to its end."""
        assert self._server.stdin is not None and self._server.stdout is not None
        with self._lock:
            self._server.stdin.write(json.dumps(asdict(job)) + "\n")
            self._server.stdin.flush()
            answer = json.loads(self._server.stdout.readline())
        return Done(**answer)

    def close(self) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(60)
        self._server.stdout.close()


@functools.cache
def servers() -> "SimpleQueue[Distill]":
    """Returns the two that all tests share."""
    free: SimpleQueue[Distill] = SimpleQueue()
    for _ in range(AT_ONCE):
        distill = Distill()
        atexit.register(distill.close)
        free.put(distill)
    return free


@contextmanager
def borrowed() -> Iterator[Distill]:
    """Yields one that nobody else uses meanwhile."""
    distill = servers().get()
    try:
        yield distill
    finally:
        servers().put(distill)


def each(work: Callable[[Distill, Item], None], items: Iterable[Item]) -> None:
    """Does the work for every item, two at a time, and fails with all that failed."""

    def one(item: Item) -> None:
        with borrowed() as distill:
            work(distill, item)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [(item, pool.submit(one, item)) for item in items]
    failures = [f"{ascii(item)[:200]}: {error}" for item, future in futures if (error := future.exception()) is not None]
    assert not failures, "\n\n".join(failures)


def run_in(
    distill: Distill,
    workspace: "Workspace",
    *arguments: str,
    at: Path | None = None,
    stop: Stop | None = None,
    environment: Mapping[str, str] | None = None,
    file_bytes: int = 0,
    mortal: bool = False,
) -> Done:
    """Runs a command on the folders of a workspace, but for those that `environment` names."""
    folder = workspace.root / JOBS / str(id(distill))
    given = workspace.environment() | dict(environment or {})
    return distill.run(Job(arguments, str(folder), str(at or folder), given, stop, file_bytes, mortal))


def passed(done: Done) -> Done:
    """Holds that a command came through and had nothing to complain about."""
    assert done.code == 0 and not done.err, done.text
    return done


def refused(done: Done, code: int, *texts: str) -> Done:
    """Holds that a command ended with this code and said these texts, in words of its own: no traceback."""
    assert (done.code, "Traceback" in done.err) == (code, False), done.text
    assert done.err.strip(), done.text
    for text in texts:
        assert text in done.err, done.text
    return done
