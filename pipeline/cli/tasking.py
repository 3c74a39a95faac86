"""The commands about tasks whose answers can be run: tasks add, tasks list."""

import json
from pathlib import Path

import click

from pipeline.cli.options import Command, json_option, sql_option, warehouse_option


@click.group(short_help="Tasks whose answers can be run and checked.")
def tasks() -> None:
    """Sets of tasks, each with calls and the values that they must return. 240 small Python tasks come along."""


@tasks.command("add", cls=Command, short_help="Add a set of tasks.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--role",
    type=click.Choice(("hold_out", "instrument", "practice")),
    required=True,
    help="hold_out is measured, never learned from; instrument is a public benchmark; practice may be learned from.",
)
@click.option("--set", "set_name", metavar="NAME", default=None, help="The name of the set. [default: the file's]")
@warehouse_option
@sql_option
def add(file: Path, role: str, set_name: str | None, warehouse: Path, sql: Path | None) -> None:
    """Add the tasks of a JSONL file as a set. A set is frozen: other tasks need another name.

    Each line has prompt, entry_point, calls (a list of texts, each a call with literals) and expected (a list of their values);
    and may have task_id, family, reference, written_at and source. A reference, code that solves the task, must pass.

    \b
    distill tasks add mine.jsonl --role hold_out
    """
    from pipeline.cli.printing import one_line
    from pipeline.reader import Warehouse
    from pipeline.weights.taskbook import add_file

    held, is_new = add_file(Warehouse(warehouse, sql=sql), file, role, set_name)
    done = "added" if is_new else "nothing to do: these were there as"
    click.echo(one_line(f"{done} {held.name}: {len(held.tasks)} tasks, role {held.role}, sha256 {held.sha256}"))


@tasks.command("list", cls=Command, short_help="List the sets of tasks.")
@warehouse_option
@sql_option
@json_option
def list_sets(warehouse: Path, sql: Path | None, as_json: bool) -> None:
    """List all sets of tasks: those that come along, and those that were added."""
    from pipeline.cli.printing import one_line, print_table
    from pipeline.reader import Warehouse
    from pipeline.weights.taskbook import sets

    found = sets(Warehouse(warehouse, sql=sql))
    if as_json:
        rows = [
            {"set": one.name, "role": one.role, "tasks": len(one.tasks), "sha256": one.sha256, "sources": list(one.sources)}
            | {"added_at": one.added_at.isoformat() if one.added_at else None}
            for one in found
        ]
        click.echo(json.dumps(rows, ensure_ascii=True))
        return
    shown = [
        (
            *(one_line(one.name), one.role, len(one.tasks), one.sha256[:12], one_line(", ".join(one.sources))),
            f"{one.added_at:%Y-%m-%d %H:%M}" if one.added_at else "comes along",
        )
        for one in found
    ]
    print_table(("set", "role", "tasks", "sha256", "source", "added"), shown)
