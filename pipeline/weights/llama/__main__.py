"""The worker: one job from standard input, lines of JSON to standard output (see pipeline/weights/worker.py)."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from pipeline.errors import TrainingError, UsageError
from pipeline.weights import worker
from pipeline.weights.interface import Parameters, Row
from pipeline.weights.llama import certainty, learning


def say(**message: Any) -> None:
    """Writes a line; ends the process where nobody listens any more."""
    try:
        print(worker.MARK + json.dumps(message), flush=True)
    except BrokenPipeError:
        os._exit(1)


def done(job: dict[str, Any]) -> dict[str, Any]:
    """Does a job, and returns its result."""
    rows = [Row(**row) for row in job["rows"]]

    def progress(number: int, steps: int) -> None:
        say(done=number, of=steps)

    if job["kind"] == "measure":
        adapter = job["adapter"] and Path(job["adapter"])
        return certainty.measure(Path(job["base"]), adapter, rows, progress)
    parameters = Parameters(**job["parameters"])
    if job["kind"] == "trl":
        from pipeline.weights.llama import with_trl

        return with_trl.train(job, rows, parameters, progress)
    return learning.train(Path(job["base"]), job["base_sha256"], rows, parameters, Path(job["out"]), progress)


def main() -> None:
    try:
        say(result=done(json.load(sys.stdin)))
    except UsageError as error:
        say(usage=str(error))
    except TrainingError as error:
        say(failed=str(error))
    except MemoryError:
        say(failed="memory ran out")
    except OSError as error:
        if error.errno is None:  # numpy's, for a file that could not take all of it
            say(failed=f"the adapter could not be written whole ({error}); is the disk full?")
        else:
            say(system=[error.errno, error.strerror, error.filename])


if __name__ == "__main__":
    main()
