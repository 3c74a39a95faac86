"""Where a result goes: standard output, a file that is replaced whole or not at all, or a device, pipe or descriptor."""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from pipeline import keyboard
from pipeline.errors import UsageError

_DESCRIPTORS = {os.path.realpath(folder) for folder in ("/dev/fd", "/proc/self/fd")}
# So many links in a row, and it is a circle.
_MOST_LINKS = 40


@contextmanager
def opened(output: Path | None, kept: Path) -> Iterator[IO[bytes]]:
    """Yields a stream to standard output, or to what a path leads to.

    A link stays a link, a pipe a pipe; a plain file is replaced once all is written. Raises UsageError for a path below `kept`.
    """
    try:
        if (number := 1 if output is None else _descriptor(output)) is not None:
            with _handle(number) as stream:
                yield stream
                stream.flush()
            return
        assert output is not None
        target = output.resolve()
        if target.is_relative_to(kept.resolve()):
            raise UsageError(f"{output} is inside of the warehouse, which is read-only here; name another file with --output")
        if target.exists() and not target.is_file():
            with target.open("wb") as stream:
                yield stream
            return
        with _replacement(target) as stream:
            yield stream
    except RuntimeError as error:  # how pathlib says that links lead in a circle
        raise UsageError(f"{output}: its links lead nowhere; name another file with --output") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(output or "standard output")) from error


@contextmanager
def looked_at() -> Iterator[IO[bytes]]:
    """Yields a stream to a terminal, where what it would obey is shown instead."""
    with BytesIO() as stream:
        yield stream
        sys.stdout.write(stream.getvalue().decode())


def _descriptor(path: Path) -> int | None:
    """Returns which descriptor of this process a path such as /dev/stdout means; None where it means none."""
    for _ in range(_MOST_LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) in _DESCRIPTORS:
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


@contextmanager
def _handle(number: int) -> Iterator[IO[bytes]]:
    standard = {1: sys.stdout, 2: sys.stderr}
    if number in standard:
        stream = standard[number]
        if stream is None:  # closed; its number may be that of another file by now
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        stream.flush()
        yield stream.buffer
        return
    with os.fdopen(os.dup(number), "wb") as other:
        yield other


@contextmanager
def _replacement(target: Path) -> Iterator[IO[bytes]]:
    """Yields a draft beside a file, in whose place it is put when it is whole."""
    there = target.exists()
    if there and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    with NamedTemporaryFile(dir=target.parent, prefix=".distill-", suffix=".draft", delete=False) as stream:
        draft = Path(stream.name)
        with keyboard.leaving_nothing(draft):
            try:
                yield stream
                stream.flush()
                draft.chmod(stat.S_IMODE(target.stat().st_mode) if there else 0o666 & ~_umask())
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
