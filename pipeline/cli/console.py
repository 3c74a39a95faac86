"""Where everything for people is printed."""

import os
import sys

from rich.console import Console


class SteadyConsole(Console):
    """A console that falls silent when its reader, such as `head`, has seen enough: the work behind it goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence(sys.stderr.fileno() if self.stderr else sys.stdout.fileno())


def silence(stream: int) -> None:
    """Sends what is still written to a file descriptor nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
