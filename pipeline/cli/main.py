"""The group of commands, and what `distill --help` says."""

import sys
from typing import Any

import click

from pipeline import keyboard
from pipeline.cli.console import for_people
from pipeline.cli.ending import exit_code_of
from pipeline.cli.fleet import models
from pipeline.cli.models import lock
from pipeline.cli.query import health, receipts, sql, tables
from pipeline.cli.releasing import release_freeze
from pipeline.cli.replaying import replay, replay_eval, replay_trend
from pipeline.cli.runs import RUN_COMMANDS
from pipeline.cli.searching import search
from pipeline.cli.shown import settings
from pipeline.cli.states import diff, history, restore, vacuum
from pipeline.cli.tasking import tasks
from pipeline.cli.tracing import trace
from pipeline.cli.trust import acceptance, audit_full
from pipeline.version import product_version


def _version(context: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        click.echo(f"distill, version {product_version()}")
        context.exit()


class Distill(click.Group):
    """Lists commands in the order in which a newcomer meets them. Nothing passes by the console, and Ctrl-C ends it at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def main(self, args: Any = None, *more: Any, **named: Any) -> Any:
        """Runs a command line, and ends the process with its exit code."""
        with for_people(), keyboard.listening(until_exit=args is None):
            code = exit_code_of(lambda: super(Distill, self).main(args, *more, **named | {"standalone_mode": False}))
        sys.exit(code)


@click.group(cls=Distill, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "color": True})
@click.option(
    "--version", "-V", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def main() -> None:
    """Refine what AI agents did into data that is safe to learn from.

    \b
    distill run-all                       land, score, gate and export; a second run does only what is new
    distill sql "select * from scored.runs limit 5"
    distill tables                        what there is to query
    distill search TEXT                   rows of the retrieval corpus that fit best
    distill trace ID                      where an exported row comes from
    distill replay --task TEXT            a small model's answer from evidence, behind a gate
    distill models                        which model should get which type of task
    distill health                        is everything fine, and what to do next
    distill restore --to last-good        put tables and files back as they were

    Exit codes: 0 good, 1 a gate or a check failed, 2 wrong usage, 3 the warehouse or the input can't be read or is locked,
    130 stopped by Ctrl-C (143 by SIGTERM). What a terminal would obey in names and texts is shown as escapes, such as \\x1b.
    """


COMMANDS = (
    *RUN_COMMANDS,
    *(sql, tables, receipts, search, trace, models),
    *(replay, replay_eval, replay_trend),
    tasks,
    *(health, settings, acceptance, audit_full),
    *(history, diff, restore, vacuum, release_freeze),
    lock,
)
for command in COMMANDS:
    main.add_command(command)
