"""The tests of whoever freezes a release. There is no way to leave them out."""

import os
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import IO

from pipeline import keyboard

LOG = "release-tests.log"
DEFAULT = "make test"


def failures(command: str | None, root: Path, reports: Path) -> list[str]:
    """Runs the tests in the root of a repository and returns why they do not count as passed. What they print goes to a log."""
    log = reports / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        if command is None and (problem := _nothing_to_make(root)):
            stream.write(f"{problem}\n".encode())
            return [problem]
        stream.write(f"$ {command or DEFAULT}\n".encode("utf-8", "surrogateescape"))
        stream.flush()
        code = _run(command or DEFAULT, root, stream)
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return [] if code == 0 else [f"`{command or DEFAULT}` {ended}; what it printed: {log}"]


def _run(command: str, root: Path, stream: IO[bytes]) -> int:
    """Runs a command and returns its exit code; whoever stops waiting for it ends it, with all that it started."""
    with keyboard.deferred():
        running = subprocess.Popen(
            command,
            shell=True,  # it is the user's own, as in a Makefile
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        keyboard.on_interrupt(running, partial(os.killpg, running.pid, signal.SIGKILL))
    try:
        return running.wait()
    finally:
        keyboard.forget(running)
        if running.returncode is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def _nothing_to_make(root: Path) -> str:
    """Says why `make test` would test nothing: make ends well too where a file `test` is up to date."""
    other = "name the command that runs your tests with --tests"
    if not any((root / name).is_file() for name in ("GNUmakefile", "makefile", "Makefile")):
        return f"{root} has no Makefile; {other}"
    try:
        asked = subprocess.run(["make", "--question", "test"], cwd=root, capture_output=True, check=False)
    except OSError as error:
        return f"make can't be run: {error.strerror}; {other}"
    if asked.returncode == 1:
        return ""
    why = "is up to date, so that it would run nothing" if asked.returncode == 0 else "can't be made"
    return f"{root}: the target `test` of its Makefile {why}; {other}"
