"""The command for those who write models: lock."""

import sys
from pathlib import Path

import click

from pipeline.cli.options import Command, sql_option


@click.command(cls=Command, short_help="Lock the versions of the models.")
@click.option("--check", is_flag=True, help="Only say what is not locked; exit code 1 where something is not.")
@sql_option
def lock(check: bool, sql: Path | None) -> None:
    """Write versions.lock: every model with its version and fingerprint.

    A model whose SQL changed needs a higher version first. Without --sql it is our own models that are locked.
    """
    from pipeline import models
    from pipeline.settings import builtin_sql

    folder = sql or builtin_sql()
    if not check:
        click.echo(f"wrote {models.write_lock(folder)}")
        return
    findings = models.load([folder]).unlocked()
    click.echo("\n".join(findings) or f"{folder / models.LOCK_FILE}: every model is locked")
    sys.exit(1 if findings else 0)
