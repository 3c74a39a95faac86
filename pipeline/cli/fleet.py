"""The command that says which model should get a type of task: models."""

import json
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import Command, as_of_option, json_option, sql_option, warehouse_option

COLUMNS = (
    "",
    "model",
    "provider",
    "judged",
    "accepted",
    "95 %",
    "waiting",
    "p50 ms",
    "p90 ms",
    "USD per accepted",
    "last seen",
    "",
)


@click.command(cls=Command, short_help="Say which model should get a type of task.")
@click.option("--task-type", metavar="T", default=None, help="Only this type of task: a stream, or what measured calls name.")
@click.option(
    "--min-records",
    type=click.IntRange(min=1, max=2**31 - 1),
    default=20,
    show_default=True,
    help="So many verdicts a model needs before anything is said of it.",
)
@as_of_option
@warehouse_option
@sql_option
@json_option
def models(
    task_type: str | None, min_records: int, as_of: str | None, warehouse: Path, sql: Path | None, as_json: bool
) -> None:
    """Say for every type of task which model should get it, best first, or that the evidence is too thin to say.

    Models are ranked by the lower end of the 95 % interval of accepted among judged records; records that wait for a human
    are left out of it, and shown beside it. All numbers are in scored.model_ledger.

    \b
    distill models
    distill models --task-type scrum_reviews --min-records 50
    """
    from pipeline.cli.printing import one_line, print_table
    from pipeline.query.fleet import rank
    from pipeline.reader import Warehouse

    found = rank(Warehouse(warehouse, sql=sql), min_records, task_type, as_of)
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False, default=lambda moment: moment.isoformat()))
        return
    if not found.task_types:
        click.echo("no record names its model yet")
    for number, one in enumerate(found.task_types):
        click.echo(("\n" if number else "") + one_line(f"{one.name}: {one.answer}"))
        print_table(COLUMNS, [_cells(model) for model in one.models])


def _cells(model: dict[str, Any]) -> list[Any]:
    low, high, cost = model["accepted_of_judged_low"], model["accepted_of_judged_high"], model["cost_usd_per_accepted"]
    return [
        model["place"],
        model["model_name"],
        model["model_provider"],
        model["judged"],
        model["accepted"],
        "" if low is None else f"{low:.1%} to {high:.1%}",
        model["needs_human_review"],
        *("" if model[name] is None else f"{model[name]:,.0f}" for name in ("latency_ms_p50", "latency_ms_p90")),
        "" if cost is None else f"{cost:.6f}",
        f"{model['last_seen_at']:%Y-%m-%d}",
        model["standing"],
    ]
