"""The warmed interpreter behind forked.py: forks a process per command, and stops it where it was told to."""

import ctypes
import functools
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.forked import JOBS, UNFINISHED, WATCHED, Job, Stop
from tests.support.remembering import remember


class Steps:
    """Counts the durable steps of this process, writes their names down, and stops it where it was told to."""

    def __init__(self, log: Path, stop: Stop | None, go: Path) -> None:
        self._log, self._stop, self._go = log, stop, go
        self._root = next((folder.parent for folder in go.parents if folder.name == JOBS), go.parent)
        self._count, self._inside = 0, False

    def wrap(self, owner: Any, name: str, counts: Callable[..., bool] = lambda *_, **__: True) -> None:
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def step(*arguments: Any, **named: Any) -> Any:
            if self._inside or not counts(*arguments):
                return inner(*arguments, **named)
            self._inside = True
            self._count += 1
            try:
                self._begin(f"{name} {' '.join(_shown(argument) for argument in arguments[:2])}")
                self._reach(after=False)
                result = inner(*arguments, **named)
                self._reach(after=True)
                return result
            finally:
                self._inside = False

        setattr(owner, name, step)

    def _begin(self, text: str) -> None:
        self._note(text)
        if self._stop is not None and self._stop.text and self._stop.text in text:
            self._stop = replace(self._stop, number=self._count, text="")

    def _note(self, text: str) -> None:
        with self._log.open("a", encoding="utf-8", errors="surrogateescape") as log:
            log.write(text.replace("\n", " ") + "\n")

    def _reach(self, after: bool) -> None:
        if self._stop is None:
            return
        if self._stop.do == "watch":
            self._note(f"{WATCHED}{tree_hash(self._root)}")
        if (self._stop.number, self._stop.after) != (self._count, after):
            return
        if self._stop.do == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._stop.do == "wait":
            self._go.with_name("waiting").touch()
            while not self._go.exists():
                time.sleep(0.01)


def tree_hash(root: Path) -> str:
    """Returns a hash over all finished files below a folder: names, sizes, times and inodes."""
    seen = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in (".spill", JOBS))
        for path in (Path(folder, name) for name in sorted(names) if not name.endswith(UNFINISHED)):
            stat = path.stat()
            seen.append(f"{path} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}")
    return hashlib.sha256("\n".join(seen).encode("utf-8", "surrogateescape")).hexdigest()


def _shown(argument: Any) -> str:
    if isinstance(argument, Path | str):
        return str(argument)
    return str(getattr(argument, "table_uri", getattr(argument, "name", type(argument).__name__)))


def _hook(steps: Steps) -> None:
    from deltalake import DeltaTable
    from deltalake.table import TableAlterer, TableOptimizer

    from pipeline import engine
    from pipeline.collect import chunks
    from pipeline.export import files, pages
    from pipeline.index import indexing
    from pipeline.store import delta

    steps.wrap(delta, "write_deltalake")
    steps.wrap(engine.Engine, "write_parquet")
    steps.wrap(chunks.LineWriter, "add")
    steps.wrap(chunks.LineWriter, "close", lambda writer: writer._writer is not None)
    steps.wrap(files, "draft")
    steps.wrap(pages, "draft")
    steps.wrap(indexing, "draft")
    for name in ("create_write_transaction", "restore", "create", "delete"):
        steps.wrap(DeltaTable, name)
    steps.wrap(TableAlterer, "add_constraint")
    steps.wrap(TableOptimizer, "compact")
    for name in ("replace", "rename"):
        steps.wrap(Path, name)
        steps.wrap(os, name)
    steps.wrap(Path, "unlink", lambda path, *_: path.exists())
    steps.wrap(Path, "mkdir", lambda path, *_: not path.exists())
    steps.wrap(shutil, "rmtree", lambda path, *_: Path(path).exists())


def _once(load: Callable[[Iterable[Path]], Any]) -> Callable[[Iterable[Path]], Any]:
    """Returns a function of folders that does its work once for each of them."""
    cached = functools.cache(load)
    return lambda folders: cached(tuple(folders))


def _warm() -> None:
    """Loads what every command needs. What is remembered hangs on the files below sql/ alone."""
    import openai  # noqa: F401 - `replay` loads it late

    import pipeline.cli
    import pipeline.cli.terminal
    import pipeline.collect.evidence
    import pipeline.models
    import pipeline.models.tables
    import pipeline.query.health
    import pipeline.reader
    import pipeline.reports.receipts
    import pipeline.runner
    import pipeline.score.scoring
    from pipeline.settings import builtin_sql

    for module, name in ((pipeline.models, "load"), (pipeline.models.tables, "load")):
        setattr(module, name, _once(getattr(module, name)))
    vars(pipeline.reader)["load_tables"] = pipeline.models.tables.load
    library = pipeline.models.load((builtin_sql(),))
    library.unlocked()
    for room in ("exports", "checks", "ledger", "drift", "trace", "health"):
        for model in library.room(room):
            _ = model.inputs, model.fingerprint
    for schema in ("stage_receipt", "run_summary", "drift_report"):
        pipeline.reports.receipts.validator(f"{schema}.v1")
    for table in pipeline.models.tables.load((builtin_sql(),)).values():
        _ = table.checks
    for model in library.room("evidence"):
        _ = pipeline.collect.evidence.evidence_model(library, model.stem).sql
    for model in library.room("scored"):
        _ = pipeline.score.scoring.scoring_model(library, model).sql


def _obey_modes() -> None:
    """Gives up root's right to pass by the modes of files: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    version = (ctypes.c_uint32 * 2)(0x20080522, 0)
    held = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, for two words of 32 capabilities
    libc = ctypes.CDLL(None, use_errno=True)
    for call in (libc.capget, libc.capset):
        if call(version, held) != 0:
            raise OSError(ctypes.get_errno(), "can't change capabilities")
        held[0] &= ~0b110
        held[1] &= ~0b110


def _expire(child: int, seconds: float) -> int:
    """Kills a process after some time, unless it ended; returns its status."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _in_child(job: Job) -> None:
    folder = Path(job.folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(job.environment, RUST_BACKTRACE="1")  # no native stack may show
    os.chdir(job.at)
    if job.mortal:
        _obey_modes()
    if job.file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.file_bytes, job.file_bytes))
    else:  # the limit would hit the list of steps too
        _hook(Steps(folder / "steps", job.stop, job.go))
    from pipeline.cli import main

    code = 1
    try:
        main(list(job.arguments), prog_name="distill")
    except SystemExit as exit:
        code = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _serve() -> None:
    _warm()
    remember()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        stop = Stop(**request["stop"]) if request["stop"] is not None else None
        job = Job(**request | {"stop": stop})
        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "steps").write_bytes(b"")
        child = os.fork()
        if child == 0:
            _in_child(job)
        status = _expire(child, stop.seconds) if stop is not None and stop.seconds else os.waitpid(child, 0)[1]
        out, err, steps = ((folder / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err", "steps"))
        json.dump({"code": os.waitstatus_to_exitcode(status), "out": out, "err": err, "steps": steps.splitlines()}, answers)
        answers.write("\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
