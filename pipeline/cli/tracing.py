"""The command that walks from an exported row to its line, and back: trace."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import Command, as_of_option, data_option, json_option, sql_option, warehouse_option
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.trace import Step, Trace


@click.command(cls=Command, short_help="Walk from an exported row to its line, and back.")
@click.argument("asked", metavar="[ID]", required=False)
@click.option(
    "--line",
    metavar="FILE:N",
    help="Go the other way: FILE as in raw.lines.source_file, N counted from 1, as editors do.",
)
@as_of_option
@data_option
@warehouse_option
@sql_option
@json_option
def trace(
    asked: str | None, line: str | None, as_of: str | None, data: Path, warehouse: Path, sql: Path | None, as_json: bool
) -> None:
    """Walk from an exported row back to the line that it came from, or from a line to all that was exported from it.

    \b
    distill trace rag-88b46cb386db556a    row, score, record, raw line, line of the source file
    distill trace playbook-fca0...        a playbook: every example that it shows
    distill trace audit-5268f4d905        a record by its run_id, or its sig_hash: what became of it, and why
    distill trace --line audits.jsonl:3   the third line of audits.jsonl: everything ever exported from it

    Every hash on the way is worked out again: from the texts, from the landed line, and from the source file below --data.
    An id that is not in the newest snapshot is sought in earlier ones, newest first. FILE:N counts lines
    from 1 wherever it is printed or typed; the column line_offset counts them from 0.

    Exit code 0: everything holds; 1: a hash or a value does not, or a step is missing; 2: nothing goes by this name.
    """
    from pipeline.reader import Warehouse
    from pipeline.trace import trace as trace_id
    from pipeline.trace import trace_line

    if (asked is None) == (line is None):
        raise UsageError("give either an ID or --line FILE:N; `distill trace --help` shows both")
    reader = Warehouse(warehouse, sql=sql)
    found = trace_line(reader, data, line, as_of) if line is not None else trace_id(reader, data, asked or "", as_of)
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=True))
    else:
        _print(found)
    sys.exit(0 if found.holds else 1)


def _print(found: "Trace") -> None:
    from pipeline.cli.printing import one_line, print_table

    age = "the newest" if found.is_newest else "not the newest"
    click.echo(f"{one_line(found.asked)}: in snapshot {found.snapshot} ({age}), run {one_line(found.run_id)}")
    rows: list[tuple[str, Step]] = [("", found.row)] if found.row else []
    rows += [
        ("" if found.kind == "row" and len(found.chains) == 1 else chain.name, step)
        for chain in found.chains
        for step in chain.steps
    ]
    names = ["of"] if any(name for name, _ in rows) else []
    table = []
    for name, step in rows:
        status = step.status if step.status in ("ok", "none") else step.status.upper()
        cells = [step.name, status, step.place, step.says]
        table.append([one_line(cell) for cell in ([name, *cells] if names else cells)])
    print_table((*names, "step", "status", "where", "what"), table)
    _print_fates(found)
    click.echo()
    for note in found.notes:
        click.echo(f"note: {one_line(note)}")
    wrong = sum(step.status in ("mismatch", "missing") for step in found.steps)
    click.echo("every hash holds" if found.holds else f"{wrong} of {len(found.steps)} steps do not hold")


def _print_fates(found: "Trace") -> None:
    from pipeline.cli.printing import one_line, print_table

    became = [
        [chain.name, o.export, o.side, o.outcome, o.id or o.reason or "", o.detail or ""]
        for chain in found.chains
        for o in chain.became or ()
    ]
    if became:
        click.echo("\nwhat became of it")
        print_table(
            ("of", "export", "side", "outcome", "id or reason", "detail"), [[one_line(c) for c in row] for row in became]
        )
    if found.released is None:
        return
    click.echo("\neverything ever exported from this line" if found.released else "\nnothing was ever exported from this line")
    released = [
        [r.export, r.side, r.id, f"{r.snapshots[0]}..{r.snapshots[-1]}", len(r.snapshots), "yes" if r.is_in_newest else "no"]
        for r in found.released
    ]
    if released:
        print_table(("export", "side", "id", "snapshots", "how many", "in the newest"), released)
