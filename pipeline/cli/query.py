"""The commands that read: sql, tables, receipts, health."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from pipeline.cli.options import FORMATS, Command, as_of_option, exports_option, json_option, sql_option, warehouse_option
from pipeline.errors import UsageError
from pipeline.visible import on_one_line

# The columns of evidence.records whose coverage says most, on one screen.
SHOWN = ("model_name", "instruction", "content", "verdict", "latency_ms", "completion_tokens", "cost_usd")


@click.command(cls=Command, short_help="Run one select over the published tables.")
@click.argument("query")
@as_of_option
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print the result."
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of the terminal.")
@warehouse_option
@sql_option
def sql(query: str, as_of: str | None, kind: str, output: Path | None, warehouse: Path, sql: Path | None) -> None:
    """Run one select over the published tables, as they are or as they were.

    \b
    distill sql "select source, count(*) from evidence.records group by source"
    distill sql "select * from exports.quarantine" --as-of "1 run ago" --format csv
    """
    from pipeline.cli import outputs
    from pipeline.cli.printing import print_result, refuse_same_names, write_parquet, write_result
    from pipeline.reader import Warehouse

    if kind == "table" and output is not None:
        raise UsageError("--output needs --format csv, json, jsonl or parquet")
    if kind == "parquet" and output is None and sys.stdout.isatty():
        raise UsageError("Parquet is no text; name a file with --output")
    with suppress(UnicodeError):  # in a locale without UTF-8, other characters come as the bytes that were typed
        query = os.fsencode(query).decode()
    reader = Warehouse(warehouse, sql=sql)
    if kind == "parquet":
        with reader.batches(query, as_of) as (schema, exact):
            refuse_same_names(schema.names)
            with outputs.opened(output, warehouse) as stream:
                write_parquet(schema, exact, stream)
        return
    with reader.printed(query, as_of) as (columns, batches):
        if kind == "table":
            print_result(columns, batches)
            return
        # A file or a pipe gets the exact bytes. JSON escapes by itself what a terminal would obey.
        is_looked_at = kind == "csv" and output is None and sys.stdout.isatty()
        with outputs.looked_at() if is_looked_at else outputs.opened(output, warehouse) as stream:
            write_result(columns, batches, kind, stream)


@click.command(cls=Command, short_help="List the tables and the models that made them.")
@as_of_option
@warehouse_option
@sql_option
@json_option
@click.option("--columns", is_flag=True, help="Show the columns and what they mean.")
def tables(as_of: str | None, warehouse: Path, sql: Path | None, as_json: bool, columns: bool) -> None:
    """List the tables: what they are, rows, version, and the models that made them."""
    from pipeline.cli.printing import print_table
    from pipeline.reader import Warehouse

    found = Warehouse(warehouse, sql=sql).tables(as_of)
    if as_json:
        documents = [
            {
                "table": table.name,
                "meaning": table.title,
                "grain": table.grain,
                "rows": table.rows,
                "version": table.version,
                "sha256": table.sha256,
                "run_id": table.run_id,
                "models": dict(part.split("=", 1) for part in table.models.split()),
                "columns": [
                    {"name": c.name, "type": c.type, "nullable": c.nullable, "meaning": c.meaning} for c in table.columns
                ],
            }
            for table in found
        ]
        click.echo(json.dumps(documents, ensure_ascii=False))
        return
    if columns:
        rows = [[t.name, c.name, c.type, c.meaning] for t in found for c in t.columns]
        print_table(("table", "column", "type", "meaning"), rows)
        return
    print_table(("table", "rows", "version", "meaning"), [[t.name, t.rows, t.version, t.title] for t in found])
    models = dict(part.split("=", 1) for t in found for part in t.models.split())
    rows = [[name, *mark.split(":")] for name, mark in sorted(models.items())]
    print_table(("model", "version", "fingerprint"), [[name, version, print_[:12]] for name, version, print_ in rows])


@click.command(cls=Command, short_help="Show the receipts of a run.")
@click.option("--run-id", default="latest", show_default=True, metavar="ID", help="The run; also latest or 'N runs ago'.")
@warehouse_option
@json_option
def receipts(run_id: str, warehouse: Path, as_json: bool) -> None:
    """Show the receipts of a run: what every stage took in and gave out, by which SQL."""
    from pipeline.cli.printing import print_table
    from pipeline.reader import Warehouse

    found = Warehouse(warehouse).receipts(run_id)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    names = ("in", "out", "skipped", "deduped", "quarantined", "capped")
    rows = [[r["stage"], r["status"], *(r["record_counts"][n] for n in names), (r["output_hash"] or "")[:12]] for r in found]
    print_table(("stage", "status", *names, "output hash"), rows)
    for receipt in found:
        for kind in ("errors", "warnings"):
            for text in receipt["validation"][kind]:
                click.echo(on_one_line(f"{receipt['stage']}: {kind.removesuffix('s')}: {text}"))


@click.command(cls=Command, short_help="Say whether everything is fine.")
@click.option("--evidence", is_flag=True, help="Say what the streams cover, and what they lack to be scored.")
@warehouse_option
@exports_option
@sql_option
@json_option
def health(evidence: bool, warehouse: Path, exports: Path, sql: Path | None, as_json: bool) -> None:
    """Say on one screen whether everything is fine, what is newest, and what to type next.

    With --evidence: what kind of stream each is, as its records show; how many of its records are scored, and have a model, an
    instruction, a verdict...; what keeps the others from a score; and which values are of the wrong type and count as missing.
    --json has all columns.
    """
    from pipeline.cli.printing import print_table
    from pipeline.query.health import examine

    if evidence:
        _print_coverage(warehouse, sql, as_json)
        return
    found = examine(warehouse, exports)
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False))
    else:
        print_table(("", ""), [[name, value] for name, value in found.facts.items()])
        for line in found.attention or ["nothing needs attention"]:
            click.echo(on_one_line(line))
        click.echo(f"next: {on_one_line(found.next_step)}")
    sys.exit(0 if not found.broken else 1)


def _print_coverage(warehouse: Path, sql: Path | None, as_json: bool) -> None:
    from pipeline.cli.printing import one_line, print_table
    from pipeline.query.coverage import examine
    from pipeline.reader import Warehouse

    streams = examine(Warehouse(warehouse, sql=sql))
    if as_json:
        click.echo(json.dumps([stream.as_json() for stream in streams], ensure_ascii=False))
        return
    if not streams:
        click.echo("there is no evidence yet")
        return
    rows = [
        [one_line(s.name), s.kind, s.records, _share(s.scoreable), *(_share(s.columns[name]) for name in SHOWN)]
        for s in streams
    ]
    print_table(("stream", "class", "records", "scoreable", *SHOWN), rows)
    lacks = [[one_line(s.name), one_line(says)] for s in streams for says in s.says()]
    if lacks:
        click.echo("\nwhat keeps records from a score")
        print_table(("", ""), lacks)
    mistyped = [[one_line(s.name), *map(one_line, map(str, held.values()))] for s in streams for held in s.mistyped]
    if mistyped:
        click.echo("\nvalues of the wrong type, which count as missing")
        print_table(("stream", "field", "records", "first at"), mistyped)


def _share(part: float) -> str:
    """A share in percent: 0 and 100 are said only of none and of all."""
    return "<1%" if 0 < part < 0.01 else ">99%" if 0.99 < part < 1 else f"{part:.0%}"
