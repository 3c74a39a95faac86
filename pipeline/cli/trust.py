"""The command that asks whether this installation can be trusted: acceptance."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from pipeline.cli.options import Command, json_option, sql_option


@click.command(cls=Command, short_help="Hold 22 invariants against a built-in fixture.")
@sql_option
@json_option
def acceptance(sql: Path | None, as_json: bool) -> None:
    """Hold 22 invariants against a built-in fixture, in a temporary warehouse: nothing of yours is read or changed.

    The fixture has all streams, every category, every reason of quarantine, and every kind of broken line. It runs from end
    to end in several ways: twice, afresh, with each switch, without half of the streams, and with a planted leak. A line per
    invariant says whether it holds; one that does not shows the first rows that break it, and the command ends with 1.

    \b
    distill acceptance
    distill acceptance --sql my_models    the same with models of your own
    """
    from pipeline.acceptance import examine, report

    waiting = Console(stderr=True)
    if waiting.is_terminal:
        with waiting.status("running the fixture in a temporary warehouse"):
            verdicts = examine(sql)
    else:
        verdicts = examine(sql)
    passed = all(verdict.passed for verdict in verdicts)
    if as_json:
        document = {"passed": passed, "invariants": [verdict.as_json() for verdict in verdicts]}
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        click.echo("\n".join(report(verdicts)))
    sys.exit(0 if passed else 1)
