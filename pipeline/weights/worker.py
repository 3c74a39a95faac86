"""Work on a model in a process of its own: its memory is gone when it ends, and one thread makes its sums the same every time.

The job goes in as JSON; each line that comes out is progress, the result, or what went wrong. A worker whose caller was killed
ends at its next line.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pipeline
from pipeline import keyboard
from pipeline.advice import try_again
from pipeline.disk import to_disk
from pipeline.errors import TrainingError, UsageError
from pipeline.weights.interface import Progress

# Begins each message: all else is what libraries print.
MARK = "\x1e"
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_COMMAND = (sys.executable, "-P", "-m", "pipeline.weights.llama")


def run(job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Returns the result of a job. Raises TrainingError, UsageError or OSError where there is none; no process stays."""
    process = _started()
    result, last_words = None, ""
    try:
        with suppress(BrokenPipeError):  # it died before it read everything: its exit code says more
            json.dump(job, process.stdin)
            process.stdin.close()
        for line in process.stdout:
            said, marked, message = line.partition(MARK)
            last_words = said.strip() or last_words
            if marked:
                result = _taken(json.loads(message), progress) or result
        code = process.wait()
    finally:
        keyboard.forget(process)
        if process.returncode is None:
            _kill(process)
            process.wait()
        process.stdout.close()
    keyboard.raise_if_interrupted()
    if code or result is None:
        raise TrainingError(f"the process with the model {_ending(code, last_words)}; {try_again()}")
    return result


@contextmanager
def drafted(out: Path) -> Iterator[Path]:
    """Yields where to write a file; it comes to `out` when it is whole and on disk, and otherwise nothing is left of it."""
    draft = out.with_name(f".{out.name}.{os.getpid()}.draft")
    try:
        with keyboard.leaving_nothing(draft):
            yield draft
            to_disk(draft)
            draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def _started() -> Any:
    ours, theirs = str(Path(pipeline.__path__[0]).parent), os.environ.get("PYTHONPATH")
    found = {"PYTHONPATH": os.pathsep.join([ours, theirs] if theirs else [ours])}
    environment = {**os.environ, **_ONE_THREAD, **found, "HF_HUB_OFFLINE": "1"}
    with keyboard.deferred():
        process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            process_group=0,
            text=True,
            encoding="utf-8",
        )
        keyboard.on_interrupt(process, partial(_kill, process))
    return process


def _kill(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _taken(message: dict[str, Any], progress: Progress) -> dict[str, Any] | None:
    """Passes progress on, and raises what a worker could not do."""
    match message:
        case {"done": done, "of": steps}:
            progress(done, steps)
        case {"usage": text}:
            raise UsageError(text)
        case {"failed": text}:
            raise TrainingError(f"{text}; {try_again()}")
        case {"system": [number, text, path]}:
            raise OSError(number, text, path)
        case {"result": dict(result)}:
            return result
    return None


def _ending(code: int, last_words: str) -> str:
    if code == -signal.SIGKILL:
        return "was killed from outside, as a machine does whose memory runs out; it needs about 1 GB"
    return f"ended with exit code {code}: {last_words[:300] or 'it said nothing'}"
