"""Model code runs here and nowhere else: in a worker process, in an interpreter without files, sockets or a way out.

Only values leave. The expected ones never go in, so no code can read them, print them or claim to be equal to them; and how the
code ends is no verdict. A value is right where type and value are: `True` is not 1, 1 is not 1.0, a tuple is not a list. Where
a float is expected, one that differs by a part in 10^9 will do; a NaN equals nothing.
"""

import builtins
import collections
import functools
import itertools
import json
import math
import os
import random
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pipeline import keyboard
from pipeline.errors import UsageError
from pipeline.weights.answers import code_of, leaves_lazy

__all__ = ["MISSING", "Judged", "Sandbox", "code_of", "is_installed", "opened"]

PASSED, FAILED, TIMEOUT, REFUSED, UNSUPPORTED = "passed", "failed", "timeout", "refused", "unsupported"
MISSING = "model code runs in a sandbox that is not installed; `make setup-train`, or `pip install 'distillery[local-train]'`"
# Every call has this to itself, and begins in a session of its own.
_LIMITS: dict[str, Any] = {
    "max_feed_duration_secs": 2.0,
    "max_memory": 64_000_000,
    "max_recursion_depth": 1000,
    "max_suspensions": 100,
    "max_total_sleep_secs": 0.0,
}
# The same code gets the same verdict: nothing waits, and chance begins at the same place.
_POLICY: dict[str, Any] = {"sleep": "zero", "random_start": {"seed": 0}}
_WORKER_SECONDS = 5.0
_MOST_CODE = 64_000
_RESULT = "_result_of_the_call"
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12
_SHOWN = 80
# What these know and the sandbox does not is a gap of the sandbox, not a mistake of the code.
_MODULES = {module.__name__: module for module in (collections, functools, itertools, json, math, os, random, re, sys)}
_NO_NAME = re.compile(r"name '(\w+)' is not defined")
_NO_ATTRIBUTE = re.compile(r"(?:type object )?'(\w+)' (?:object )?has no attribute '(\w+)'")
_NO_MEMBER = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_TOO_LARGE = ("too deeply nested", "function too large")
_OWN_LIMITS = ("The monty ", "Internal error in monty")
# What `+` adds to a value of each type without changing it. It fails for what only turned into that type on its way out.
_NEUTRAL: dict[type, str] = {str: "+ ''", list: "+ []", dict: "| {}"}


@dataclass(frozen=True)
class Judged:
    """What became of some code. verdict: passed, failed, timeout, refused (no code), unsupported (the sandbox can't run it)."""

    verdict: str
    detail: str


class _NotPassedError(Exception):
    """The verdict is known, and it is not `passed`."""

    def __init__(self, verdict: str, detail: str) -> None:
        super().__init__(detail)
        self.judged = Judged(verdict, detail)


def is_installed() -> bool:
    """True where the extra with the sandbox is there."""
    from importlib.util import find_spec

    return find_spec("pydantic_monty") is not None


@contextmanager
def opened() -> "Iterator[Sandbox]":
    """Yields a sandbox. Raises UsageError where it is not installed."""
    if not is_installed():
        raise UsageError(MISSING)
    sandbox = Sandbox()
    try:
        yield sandbox
    finally:
        sandbox.close()


class Sandbox:
    """Workers that run code, one at a time. Not for several threads at once."""

    def __init__(self) -> None:
        self._pool: Any = None
        self._worker: int | None = None

    def judge(self, code: str, entry_point: str, calls: Sequence[str], expected: Sequence[Any]) -> Judged:
        """Runs every call in a session of its own, after the code, and compares what it returns with what is expected.

        >>> sandbox.judge("def add(a, b): return a + b", "add", ["add(1, 2)"], [3]).verdict
        'passed'
        """
        if not code.strip():
            return Judged(REFUSED, "there is no code in the answer")
        if len(code) > _MOST_CODE:
            return Judged(REFUSED, f"the code is longer than {_MOST_CODE:,} characters")
        if not calls or len(calls) != len(expected):
            raise ValueError("a judgement needs calls, and one expected value for each")
        keyboard.on_interrupt(self, self._kill)
        try:
            for call, wanted in zip(calls, expected, strict=True):
                self._hold(code, entry_point, call, wanted)
        except _NotPassedError as found:
            keyboard.raise_if_interrupted()
            return found.judged
        finally:
            keyboard.forget(self)
        if leaves_lazy(code):
            return Judged(UNSUPPORTED, "it keeps a map, a generator or the like, of which the sandbox makes a list at once")
        return Judged(PASSED, f"{len(calls)} calls")

    def _hold(self, code: str, entry_point: str, call: str, wanted: Any) -> None:
        with self._session() as session:
            self._feed(session, code, f"{entry_point} can't be loaded")
            got = self._feed(session, f"{_RESULT} = {call}\n{_RESULT}", call)
            if difference := differs(got, wanted):
                raise _NotPassedError(FAILED, f"{call}: {difference}")
            proof = [f"{_RESULT}{path} {_NEUTRAL[type(part)]}" for path, part in _parts(got) if type(part) in _NEUTRAL]
            if proof:
                # Functions, ranges and views come out as texts, queues as lists: only the real type can do this.
                self._feed(session, f"[{', '.join(proof)}]\nNone", f"{call}: is not the type that it looks like")

    def _feed(self, session: Any, code: str, what: str) -> Any:
        import pydantic_monty as monty

        try:
            return session.feed_run(code, print_callback=_drop)
        except monty.MontySyntaxError as error:
            if any(sign in str(error) for sign in _TOO_LARGE):
                raise _NotPassedError(UNSUPPORTED, f"{what}: {_short(error)}") from None
            raise _NotPassedError(FAILED, f"{what}: no Python: {_short(error)}") from None
        except monty.MontyCrashedError as error:
            self.close()
            if error.timed_out:
                raise _NotPassedError(TIMEOUT, f"{what}: was stopped after {_WORKER_SECONDS:g} s") from None
            raise _NotPassedError(UNSUPPORTED, f"{what}: the worker of the sandbox ended: {_short(error)}") from None
        except monty.MontyError as error:
            inner = error.exception()
            if isinstance(inner, MemoryError):
                # Such a worker may be gone, and what it leaves behind is not for the next one.
                self.close()
            raise _NotPassedError(_verdict_of(inner), f"{what}: {type(inner).__name__}: {_short(inner)}") from None

    @contextmanager
    def _session(self) -> Iterator[Any]:
        import pydantic_monty as monty

        if self._pool is None:
            with _silent_workers():
                self._pool = monty.Monty(min_processes=1, max_processes=1, request_timeout=_WORKER_SECONDS).__enter__()
        with self._pool.checkout(limits=_LIMITS, os_policy=_POLICY) as session:
            self._worker = session.worker_pid
            try:
                yield session
            finally:
                self._worker = None

    def _kill(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)

    def close(self) -> None:
        """Ends the workers; the next judgement starts others."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.__exit__(None, None, None)


def differs(got: Any, wanted: Any) -> str | None:
    """Returns how a value is not the expected one, or None. Looks no deeper than what is expected goes."""
    if type(got) is not type(wanted):
        return f"is {_named(got)}, not of type {type(wanted).__name__}"
    if isinstance(wanted, float):
        same = math.isclose(got, wanted, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
        return None if same else f"is {got!r}, not what is expected"
    if isinstance(wanted, list):
        if len(got) != len(wanted):
            return f"has {len(got)} items, not {len(wanted)}"
        return next((said for one, other in zip(got, wanted, strict=True) if (said := differs(one, other))), None)
    if isinstance(wanted, dict):
        if any(type(key) is not str for key in got) or got.keys() != wanted.keys():
            return "has other keys"
        return next((said for key in wanted if (said := differs(got[key], wanted[key]))), None)
    return None if got == wanted else f"is {_named(got)}, not what is expected"


def _parts(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields a value and all values in it, each with what leads to it."""
    yield path, value
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _parts(item, f"{path}[{number}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _parts(item, f"{path}[{key!r}]")


def _verdict_of(error: BaseException) -> str:
    said = str(error)
    if isinstance(error, TimeoutError):
        return TIMEOUT if "time limit exceeded" in said else FAILED
    if isinstance(error, ImportError) or said.startswith(_OWN_LIMITS):
        return UNSUPPORTED
    if isinstance(error, NameError) and (found := _NO_NAME.match(said)):
        return UNSUPPORTED if hasattr(builtins, found[1]) else FAILED
    if isinstance(error, AttributeError) and (found := _NO_MEMBER.match(said)):
        return UNSUPPORTED if hasattr(_MODULES.get(found[1]), found[2]) else FAILED
    if isinstance(error, AttributeError) and (found := _NO_ATTRIBUTE.match(said)):
        known = getattr(builtins, found[1], None)
        return UNSUPPORTED if isinstance(known, type) and hasattr(known, found[2]) else FAILED
    return FAILED


def _named(value: Any) -> str:
    """Returns a value in a few words; never by a method of its own, for a stranger made it."""
    if value is None or type(value) in (bool, float):
        return repr(value)
    if type(value) is int and abs(value) < 10**_SHOWN:
        return repr(value)
    if type(value) is str:
        return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}...")
    return f"a value of type {type(value).__name__[:_SHOWN]}"


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _drop(stream: str, text: str) -> None:
    """What code prints is nobody's business."""


@contextmanager
def _silent_workers() -> Iterator[None]:
    """Workers keep the standard error that they are started with, and complain there of every bomb that they survive."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
