"""Where everything for people is printed: what a terminal would obey is shown instead, whoever wrote it."""

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from pipeline.visible import escape, on_one_line, shown

_BY_ESCAPE = "by_escape"


def _escape_unwritable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(escape, error.object[error.start : error.end])), error.end


codecs.register_error(_BY_ESCAPE, _escape_unwritable)


class ForPeople(io.TextIOBase):
    """A stream of text that shows what a terminal would obey. Bytes for machines pass by it, through `buffer`."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_BY_ESCAPE)

    def write(self, text: str) -> int:
        with _naming_output():
            self.stream.write(shown(text))
        return len(text)

    def flush(self) -> None:
        with _naming_output():
            self.stream.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"  # as far as others have to know: what can't be written is escaped

    @property
    def buffer(self) -> Any:
        return self.stream.buffer

    def fileno(self) -> int:
        return self.stream.fileno()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def writable(self) -> bool:
        return True


@contextmanager
def _naming_output() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


@contextmanager
def for_people() -> Iterator[None]:
    """Has everything that is printed meanwhile pass through ForPeople. A stream that was closed swallows it."""
    _fill_closed()
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _guarded(out), _guarded(err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def _fill_closed() -> None:
    """Opens the standard streams that nobody holds, or the next file that is opened would be written over by messages."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it takes the lowest number that is free: this one
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.dup(number), "w", encoding="utf-8"))


def _guarded(stream: TextIO) -> TextIO:
    return stream if isinstance(stream, ForPeople) else cast(TextIO, ForPeople(stream))


def _behind(stream: TextIO) -> TextIO:
    return stream.stream if isinstance(stream, ForPeople) else stream


class SteadyConsole(Console):
    """A console, which may colour. It falls silent when its reader, such as `head`, has seen enough: the work goes on."""

    def __init__(self, *, stderr: bool = False, **options: Any) -> None:
        # Its colours are codes that a terminal has to obey, so it looks at texts itself.
        super().__init__(file=_behind(sys.stderr if stderr else sys.stdout), stderr=stderr, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=shown(segment.text))

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence(sys.stderr.fileno() if self.stderr else sys.stdout.fileno())


def silence(stream: int) -> None:
    """Sends what is still written to a file descriptor nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def complain(message: object) -> None:
    """Says on standard error, in one line, what is wrong. If it can't be written there, nobody hears it."""
    with suppress(OSError, ValueError):
        print(f"distill: {on_one_line(message)}", file=sys.stderr, flush=True)


@contextmanager
def natives_silenced() -> Iterator[None]:
    """Lets only Python write to standard error.

    Native code that fails raises an error, which is told in a line of ours; what it prints beside it is its own stack.
    """
    python = sys.stderr
    if not _is_standard_error(python.fileno):
        yield
        return
    held = _behind(python)
    own = os.fdopen(os.dup(2), "w", buffering=1, encoding=held.encoding, errors=held.errors)
    sys.stderr = _guarded(own)
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
