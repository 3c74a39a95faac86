"""Ctrl-C: heard even where a library forgot it.

DuckDB and others call back into Python while they work, and some drop the exception that comes up there, as while they look for
a library that is not installed. So it is written down as well, and who is about to make something count asks.
"""

import signal
from types import FrameType

_pressed = False


def listen() -> None:
    """From now on, Ctrl-C is remembered. Whoever set a handler of their own keeps it."""
    global _pressed
    _pressed = False
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _press)


def heed() -> None:
    """Raises KeyboardInterrupt where somebody pressed Ctrl-C since the command began."""
    if _pressed:
        raise KeyboardInterrupt


def _press(number: int, frame: FrameType | None) -> None:
    global _pressed
    _pressed = True
    raise KeyboardInterrupt
