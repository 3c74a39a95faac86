"""The command that searches the retrieval corpus: search."""

import json
from pathlib import Path

import click

from pipeline.cli.options import Command, as_of_option, json_option, sql_option, warehouse_option


@click.command(cls=Command, short_help="Search the retrieval corpus.")
@click.argument("text")
@click.option("--top-k", type=click.IntRange(1, 10_000), default=8, show_default=True, help="How many rows to show at most.")
@as_of_option
@warehouse_option
@sql_option
@json_option
def search(text: str, top_k: int, as_of: str | None, warehouse: Path, sql: Path | None, as_json: bool) -> None:
    """Search the retrieval corpus for words, names and paths: the rows that fit best (BM25), with where they come from.

    TEXT is words to look for; no sign in it has a meaning of its own. Names of code are found whole and by their parts.

    \b
    distill search "flaky retry in the token refresh"
    distill search load_user_record --top-k 3
    distill search src/auth/token.py --as-of "1 run ago"
    """
    from pipeline.cli.printing import one_line, print_table
    from pipeline.reader import Warehouse
    from pipeline.search import search as find

    found = find(Warehouse(warehouse, sql=sql), text, top_k, as_of)
    if as_json:
        document = {
            "run_id": found.snapshot.run_id,
            "snapshot": found.snapshot.snapshot,
            "hits": found.rows,
            "note": found.note,
        }
        click.echo(json.dumps(document, ensure_ascii=True))
        return
    if found.note is not None:
        click.echo(f"note: {found.note}", err=True)
    if not found.rows:
        click.echo("nothing in the retrieval corpus has any of these words")
        return
    rows = [
        [row["id"], f"{row['score']:.2f}", one_line(row["title"], 60), one_line(_first_line(row["content"]), 80), row["source"]]
        for row in found.rows
    ]
    print_table(("id", "score", "title", "first line", "source"), rows)


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]
