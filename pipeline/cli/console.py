"""Where everything for people is printed."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

from rich.console import Console


class SteadyConsole(Console):
    """A console that falls silent when its reader, such as `head`, has seen enough: the work behind it goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence(sys.stderr.fileno() if self.stderr else sys.stdout.fileno())


def encode_anything() -> None:
    """Has standard output escape what its encoding, such as ASCII, or a name of a file that is no UTF-8, can't say."""
    stream = sys.stdout
    # With UTF-8 in the C locale, odd names of files are printed as the bytes that they are.
    if isinstance(stream, TextIOWrapper) and (stream.encoding.lower(), stream.errors) != ("utf-8", "surrogateescape"):
        stream.reconfigure(errors="backslashreplace")


def silence(stream: int) -> None:
    """Sends what is still written to a file descriptor nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


@contextmanager
def natives_silenced() -> Iterator[None]:
    """Lets only Python write to standard error.

    Native code that fails raises an error, which is told in a line of ours; what it prints beside it is its own stack.
    """
    python = sys.stderr
    if not _is_standard_error(python.fileno):
        yield
        return
    own = os.fdopen(os.dup(2), "w", buffering=1, encoding=python.encoding, errors=python.errors)
    sys.stderr = own
    silence(2)
    try:
        yield
    finally:
        sys.stderr = python
        os.dup2(own.fileno(), 2)
        with suppress(OSError):
            own.close()


def _is_standard_error(fileno: Callable[[], int]) -> bool:
    try:
        return fileno() == 2
    except (OSError, ValueError):
        return False  # a test or a notebook has put something else in its place
