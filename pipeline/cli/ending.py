"""How a command ends: with one line where something is wrong, and with the exit code that the help names."""

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from pipeline import advice, keyboard
from pipeline.cli.console import complain, silence
from pipeline.errors import NO_MEMORY, DistillError

WRONG_USAGE, UNREADABLE = 2, 3
TRACEBACK = "DISTILL_TRACEBACK"


def exit_code_of(work: Callable[[], Any]) -> int:
    """Does the work of a command, says in one line what went wrong, and returns the exit code."""
    try:
        code = _code(work)
        sys.stdout.flush()
    except OSError as error:  # what was printed did not get through, or not all of it
        code = _unwritten(error)
    return code


def _code(work: Callable[[], Any]) -> int:
    try:
        ended = work()
        code = ended if isinstance(ended, int) else 0
    except BaseException as error:  # what panics in native code is no Exception
        if keyboard.is_interrupted() or isinstance(error, (click.Abort, KeyboardInterrupt)):
            return keyboard.report_interruption()
        return _explained(error)
    return keyboard.report_interruption() if keyboard.is_interrupted() else code


def _explained(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        complain(_usage(error))
        return WRONG_USAGE
    if isinstance(error, DistillError):
        complain(error)
        return error.exit_code
    if isinstance(error, MemoryError):
        complain(NO_MEMORY)
        return UNREADABLE
    if isinstance(error, OSError):
        return _unwritten(error)
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    complain(
        f"this should not happen: {type(error).__name__}: {str(error)[:300]}; give the same command "
        f"with {TRACEBACK}=1 before it, and report what it prints"
    )
    return UNREADABLE


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "distill"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return f"a command is missing, such as `distill run-all`; `{path} --help` lists them"
    said = " ".join(error.format_message().split()).removesuffix(".")
    return f"{said}; `{path} --help` says what there is"


def _unwritten(error: OSError) -> int:
    if isinstance(error, BrokenPipeError):
        code = 0  # whoever read the output, such as `head`, has seen enough
    else:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}; {advice.try_again()}")
        code = UNREADABLE
    if isinstance(error, BrokenPipeError) or error.filename == "standard output":
        with suppress(OSError, ValueError):
            silence(sys.stdout.fileno())
    return code
