"""The command that shows the settings of a run, and where each comes from: settings."""

import json
from dataclasses import fields
from typing import Any

import click

from pipeline.cli.options import Command, run_options, settings_from
from pipeline.settings import Gates, Settings


@click.command(cls=Command, short_help="Show the settings of a run, and where each comes from.")
@run_options
def settings(as_json: bool, fail_on: str, **options: Any) -> None:
    """Show what `run-all` would take here, given the same options: each value, and where it comes from.

    A value counts in this order: the command line, a variable such as DISTILL_WAREHOUSE, the file distill.toml in the current
    folder or above, what the warehouse remembers of its newest published state (gates and --sql alone), the default.
    """
    from pipeline.cli.printing import one_line, print_table

    rows = _rows(settings_from(options))
    if as_json:
        click.echo(json.dumps([{"setting": name, "value": value, "from": origin} for name, value, origin in rows]))
        return
    print_table(
        ("setting", "value", "from"), [[name, one_line(_text(value)), one_line(origin)] for name, value, origin in rows]
    )


def _rows(given: Settings) -> list[tuple[str, Any, str]]:
    from pipeline.reader import Warehouse
    from pipeline.remembered import recalled_values

    state: dict[str, Any] = {}
    run_id = ""
    if any(given.warehouse.glob("*/*/_delta_log")):
        for newest in Warehouse(given.warehouse).snapshots()[-1:]:
            state, run_id = newest.state, newest.run_id
    held = recalled_values(given, state)
    rows = []
    for name in [*(field.name for field in fields(Settings) if field.name not in ("gates", "origins")), *vars(Gates())]:
        value = getattr(given.gates if hasattr(given.gates, name) else given, name)
        origin = given.origin(name)
        if origin is None and name in held:
            value, origin = held[name], f"run {run_id}"
        rows.append(
            (name, value if isinstance(value, bool | int | float | list | None) else _plain(value), origin or "default")
        )
    return rows


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value)


def _text(value: Any) -> str:
    return "" if value is None else ", ".join(value) if isinstance(value, list) else str(value)
