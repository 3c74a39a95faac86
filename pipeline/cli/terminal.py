"""What a person sees of a run: a line a stage, a bar while lines are landed. On no terminal, plain lines and no bar."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from pipeline.cli.console import SteadyConsole
from pipeline.reports.receipts import Receipt, warnings_of
from pipeline.reports.summary import first_of
from pipeline.settings import Settings
from pipeline.visible import on_one_line

if TYPE_CHECKING:
    from pipeline.runner import Outcome

COUNTS = ("in", "out", "skipped", "deduped", "quarantined", "capped")
_STYLES = {"ran": "green", "unchanged": "dim", "failed": "bold red", "not_run": "yellow"}


@contextmanager
def working(quiet: bool) -> "Iterator[Terminal]":
    """Yields a terminal for work that has stages but no receipts."""
    terminal = Terminal(quiet)
    try:
        yield terminal
    finally:
        terminal.rest()


class Terminal:
    """Reports the stages of a run as they end."""

    def __init__(self, quiet: bool) -> None:
        self.out = SteadyConsole(highlight=False, soft_wrap=True, quiet=quiet)
        self.err = SteadyConsole(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.err,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=quiet or not self.err.is_terminal,
        )
        self._task: TaskID | None = None
        self._bytes = 0

    def stage(self, name: str) -> None:
        self._bytes = 0
        self.rest()
        if not self._progress.disable:
            self._task = self._progress.add_task(name, total=None, note="")
            self._progress.start()

    def advance(self, amount: int) -> None:
        self._bytes += amount
        if self._task is not None:
            self._progress.update(self._task, note=f"{self._bytes / 1e6:,.0f} MB landed")

    def rest(self) -> None:
        """Takes the bar away."""
        if self._task is not None:
            self._progress.stop()
            self._progress.remove_task(self._task)
            self._task = None

    def done(self, receipt: Receipt) -> None:
        self.rest()
        counts = ", ".join(f"{receipt.record_counts[name]:,} {name}" for name in COUNTS if receipt.record_counts[name])
        style = _STYLES[receipt.status]
        seconds = f"{receipt.duration_ms / 1000:>7.2f} s"
        self.out.print(f"{receipt.stage:<18} [{style}]{receipt.status:<9}[/] {seconds}   {counts}")
        for warning in receipt.warnings:
            self.out.print(f"{'':<18} [yellow]warning[/] ", end="")
            self.out.print(on_one_line(warning), markup=False)

    def conclude(self, outcome: "Outcome", settings: Settings, moved: Sequence[str]) -> None:
        """Prints what came of the run; its last line names gates that are off, and how much drift warns of."""
        report = settings.reports / outcome.run_id / "summary.md"
        if outcome.failure is not None:
            self.err.print("[bold red]failed[/] ", end="")
            self.err.print(on_one_line(outcome.failure), markup=False)
            self.err.print(f"nothing was published; report: {report}", markup=False)
            return
        # What stages that were asked for had to say stands beside them.
        others = [receipt for receipt in outcome.receipts if receipt["status"] == "not_run"]
        for note in (*warnings_of(others), *outcome.notes, *first_of(moved)):
            self.out.print("[yellow]warning[/] ", end="")
            self.out.print(on_one_line(note), markup=False)
        held = outcome.summary["datasets"]
        corpora = ", ".join(f"{name} {rows:,}" for name, rows in held.items())
        self.out.print(f"[bold green]passed[/]  {corpora}; {outcome.summary['total_quarantined']:,} in quarantine")
        off = f"; gates off: {', '.join(outcome.open_gates)}" if outcome.open_gates else ""
        drift = f"; drift warns of {len(moved)} counts" if moved else ""
        self.out.print(f"run {outcome.run_id}; report: {report}; files: {settings.exports}{off}{drift}", markup=False)
