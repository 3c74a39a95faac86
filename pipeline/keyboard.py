"""Ctrl-C and SIGTERM: a command ends at once, with one line, whatever it is doing.

Python runs its handlers only when the main thread is back from native code, and some libraries drop the exception that comes up
there. So a thread waits for the signal as well: it interrupts what can be interrupted, such as statements of DuckDB, and kills
worker processes. What is still running shortly after that is not waited for: a warehouse survives it when a process is killed.
"""

import os
import signal
import sys
import time
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:  # nothing is imported that takes time: until this file is loaded, Ctrl-C ends in Python's own traceback
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType
    from typing import NoReturn

# How long the main thread may take to tidy up before the process is ended without it.
GRACE_SECONDS = 0.8
_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
_DEFAULTS = (signal.default_int_handler, signal.SIG_DFL)


class _State:
    """What came, and what is to be done then.

    number:   the signal that came first; 0 before that
    raised:   the main thread had its KeyboardInterrupt: pressing twice must not tear the tidying up
    quiet:    the handler raises nothing: somebody is at something that must not be torn, or the command is over
    reported: the one line is printed
    stops:    what interrupts work in native code, by the identity of who does it
    leftover: files and folders to remove if the process ends without its main thread
    """

    def __init__(self) -> None:
        self.number = 0
        self.raised = self.quiet = self.reported = False
        self.stops: dict[int, Callable[[], None]] = {}
        self.leftover: set[Path] = set()


_state = _State()


@contextmanager
def ending_at_once() -> "Iterator[None]":
    """While it is open, Ctrl-C ends the process: for the time in which a command is loaded, and nothing is open yet."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        with suppress(ValueError):  # another thread than the main one loads it
            signal.signal(signal.SIGINT, lambda number, frame: _end_process(number))
    try:
        yield
    finally:
        if before is signal.default_int_handler:
            with suppress(ValueError):
                signal.signal(signal.SIGINT, before)


@contextmanager
def listening(*, until_exit: bool = False) -> "Iterator[None]":
    """While it is open, Ctrl-C and SIGTERM are heard. Whoever set a handler of their own, or ignores them, keeps it so.

    until_exit: nothing follows but the end of the process
    """
    _state.number, _state.raised, _state.quiet, _state.reported = 0, False, False, False
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        heard = [number for number, handler in before.items() if handler in _DEFAULTS]
        for number in heard:
            signal.signal(number, _handle)
    except ValueError:  # another thread than the main one
        heard = []
    waking = _watch_from_a_thread() if heard else None
    try:
        yield
    finally:
        if until_exit or _state.number:
            _state.quiet = True
        else:
            for number in heard:
                signal.signal(number, before[number])
            if waking is not None:
                signal.set_wakeup_fd(-1)
                os.close(waking)


def raise_if_interrupted() -> None:
    """Raises KeyboardInterrupt where the command was interrupted, though a library may have dropped that exception."""
    if _state.number:
        raise KeyboardInterrupt


def is_interrupted() -> bool:
    """Returns whether Ctrl-C or SIGTERM came since the command began."""
    return bool(_state.number)


def report_interruption() -> int:
    """Says in one line what stopped the command, and returns the exit code that it ends with."""
    number = _state.number or signal.SIGINT
    _report(number)
    return 128 + number


@contextmanager
def deferred() -> "Iterator[None]":
    """While it is open, an interruption waits: for moments in which an exception would leave a process half started."""
    _state.quiet, before = True, _state.quiet
    try:
        yield
    finally:
        _state.quiet = before
    raise_if_interrupted()


def on_interrupt(owner: object, stop: "Callable[[], None]") -> None:
    """From now on an interruption calls `stop`, in another thread and more than once, until the owner is forgotten."""
    _state.stops[id(owner)] = stop


def forget(owner: object) -> None:
    """There is nothing of this owner to interrupt any more."""
    _state.stops.pop(id(owner), None)


@contextmanager
def leaving_nothing(path: "Path") -> "Iterator[None]":
    """While it is open, a file or folder is removed also where the process is ended without its main thread."""
    _state.leftover.add(path)
    try:
        yield
    finally:
        _state.leftover.discard(path)


def _handle(number: int, frame: "FrameType | None") -> None:
    _state.number = _state.number or number
    if not _state.quiet and not _state.raised:
        _state.raised = True
        raise KeyboardInterrupt


def _watch_from_a_thread() -> int:
    """Starts the thread that waits for a signal, and returns what closes to end it."""
    from threading import Thread

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    Thread(target=_watch, args=(reading,), name="interruptions", daemon=True).start()
    return writing


def _watch(reading: int) -> None:
    while (came := os.read(reading, 1)) and came[0] not in _SIGNALS:
        pass
    if not came:
        os.close(reading)
        return
    # It stays open: more signals may come, and find nobody.
    _state.number = _state.number or came[0]
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline:
        for stop in list(_state.stops.values()):
            with suppress(Exception):  # it may have come to its end meanwhile
                stop()
        _kill_workers()
        time.sleep(0.02)
    _end_process(_state.number)


def _kill_workers() -> None:
    if (processes := sys.modules.get("multiprocessing")) is not None:
        for worker in processes.active_children():
            worker.kill()


def _end_process(number: int) -> "NoReturn":
    for path in list(_state.leftover):
        import shutil

        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    _report(number)
    os._exit(128 + number)


def _report(number: int) -> None:
    if _state.reported:
        return
    _state.reported = True
    with suppress(OSError, ValueError, AttributeError):
        handle = sys.stderr.fileno()
        # Whatever stood on the line, such as a bar of progress; it had hidden the cursor.
        fresh = "\r\x1b[K\x1b[?25h" if os.isatty(handle) else ""
        os.write(handle, f"{fresh}distill: stopped by {_SIGNALS[signal.Signals(number)]}\n".encode())
