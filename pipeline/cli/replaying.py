"""The commands that answer from evidence: replay, replay-eval, replay-trend."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import Command, Finite, as_of_option, data_option, json_option, sql_option, warehouse_option

if TYPE_CHECKING:
    from pipeline.reader import Warehouse
    from pipeline.replay import Asked, Replayed

_SHOWN_TOKEN = 60
model_option = click.option(
    "--model",
    metavar="NAME",
    default=None,
    help="The model to ask; 'embedded' runs inside of this command. [default: embedded]",
)
base_url_option = click.option(
    "--base-url",
    metavar="URL",
    default=None,
    envvar="DISTILL_BASE_URL",
    show_envvar=True,
    help="An OpenAI-compatible server, such as http://localhost:11434/v1; its key is DISTILL_API_KEY, else OPENAI_API_KEY.",
)
timeout_option = click.option(
    "--timeout",
    type=Finite(min=0.1, max=3600),
    default=120.0,
    show_default=True,
    help="Seconds that one try may take, from connecting to the last byte of the answer.",
)
top_k_option = click.option(
    "--top-k", type=click.IntRange(min=1, max=100), default=8, show_default=True, help="How many rows to retrieve at most."
)
retriever_option = click.option(
    "--retriever",
    type=click.Choice(("bm25", "jaccard")),
    default="bm25",
    show_default=True,
    help="bm25 asks the index; jaccard compares the words of every row, as a baseline.",
)


@click.command(cls=Command, short_help="Answer a task from evidence, behind a gate.")
@click.option("--task", required=True, metavar="TEXT", help="What is to be done.")
@click.option(
    "--route", is_flag=True, help="Ask the model that the ledger knows to be best; refused where it is too thin to say."
)
@click.option(
    "--task-type", metavar="T", default=None, help="With --route: the type of task to look up. [default: that of replays]"
)
@click.option(
    "--best-of",
    metavar="N",
    type=click.IntRange(1, 256),
    default=None,
    help="Sample up to N answers, without evidence, and keep the first that passes --verify in place of the gate.",
)
@click.option(
    "--verify",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    help="With --best-of: one JSON line with entry_point, calls and expected, as a set of tasks has them.",
)
@click.option(
    "--temperature",
    type=Finite(min=0, min_open=True, max=10),
    default=None,
    help="With --best-of: how freely answers differ. [default: 0.7]",
)
@click.option("--local-only", is_flag=True, help="Refuse any server that is not this machine, and any escalation.")
@click.option("--allow-escalation", is_flag=True, help="Ask --escalation-model where the gate refuses the first answer.")
@click.option("--no-retrieval", is_flag=True, help="Give the model no evidence, for comparison; nothing that it says can pass.")
@retriever_option
@top_k_option
@model_option
@click.option("--escalation-model", metavar="NAME", default=None, help="The larger model on the server of --base-url.")
@base_url_option
@timeout_option
@data_option
@as_of_option
@warehouse_option
@sql_option
@json_option
def replay(
    no_retrieval: bool,
    route: bool,
    task_type: str | None,
    best_of: int | None,
    verify: Path | None,
    temperature: float | None,
    data: Path,
    warehouse: Path,
    sql: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Answer a task from the retrieval corpus with a small model, behind a gate that is code.

    What fits best is retrieved, a model answers from it, and the gate refuses an answer that hedges, cites nothing, or names
    what stands neither in the task nor in the evidence. Each answer is logged in replay.runs, and as a line that the next run
    lands; passing the gate proves nothing, so it waits for a test, a merge or a person whose record names its task.

    Exit codes: 0 passed, 1 the gate refused, 2 wrong usage, 3 no server, or none that can do it.

    \b
    distill replay --task "..." --route --base-url http://localhost:11434/v1
    distill replay --task "Write add(a, b)." --best-of 8 --verify add.json
    distill replay --task "Check with_retry for dead connections after a fail-over"
    distill replay --task "..." --model llama3.2 --base-url http://localhost:11434/v1 --local-only
    """
    from pipeline.reader import Warehouse
    from pipeline.replay import Asked
    from pipeline.replay import replay as run

    held = Warehouse(warehouse, sql=sql)
    if route or task_type is not None:
        options |= _routed(held, route, task_type, options)
    asked = Asked(retrieval=not no_retrieval and best_of is None, **options)
    if best_of is None and verify is None and temperature is None:
        done = run(held, data, asked)
    else:
        done = _best_of(held, data, asked, best_of, verify, temperature)
    if as_json:
        document = {"passed": done.passed, "attempts": list(done.records), "log": str(done.log), "note": done.note}
        click.echo(json.dumps(document, ensure_ascii=True))
    else:
        _show(done, asked)
    sys.exit(0 if done.passed else 1)


def _routed(warehouse: "Warehouse", route: bool, task_type: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Returns the model that the ledger picks, and by what, as options."""
    from pipeline.cli.printing import one_line
    from pipeline.errors import UsageError
    from pipeline.weights import routing

    if not route:
        raise UsageError("--task-type is looked up only with --route")
    if options["model"] is not None:
        raise UsageError("--route picks the model, and --model names it; leave one of the two")
    wanted = task_type or routing.REPLAYS
    model, why = routing.route(warehouse, wanted, options["as_of"])
    click.echo(one_line(f"routed to {model} for {wanted}: {why}"), err=True)
    return {"model": model, "routed_by": wanted}


def _best_of(
    warehouse: "Warehouse", data: Path, asked: "Asked", most: int | None, verify: Path | None, temperature: float | None
) -> "Replayed":
    from pipeline.errors import UsageError
    from pipeline.weights.bestof import TEMPERATURE, best_of
    from pipeline.weights.tasks import check_of

    if most is None or verify is None:
        raise UsageError("--best-of N and --verify FILE go together: an answer is kept because it passes a check")
    hot = TEMPERATURE if temperature is None else temperature
    return best_of(warehouse, data, asked, check_of(verify), most=most, temperature=hot)


def _show(done: "Replayed", asked: "Asked") -> None:
    from pipeline.cli.printing import one_line, plain, print_table

    if done.note is not None:
        click.echo(f"note: {done.note}", err=True)
    for record in done.records:
        click.echo(f"{record['model']} ({record['latency_ms'] / 1000:.1f} s): {record['verdict']}")
        click.echo(plain(record["answer"]) or "(nothing)")
        rows = [
            (found["rule"], found["kind"], one_line(found["token"], _SHOWN_TOKEN), found["why"]) for found in record["findings"]
        ]
        if rows:
            print_table(("finding", "kind", "token", "why"), rows)
        click.echo()
    held = done.last["bundle"]
    shown = [
        (one["role"], one["id"], f"{one['score']:.2f}", one_line(one["title"], _SHOWN_TOKEN), one["source"])
        for one in held["records"]
    ]
    if shown:
        print_table(("evidence", "id", "score", "title", "source"), shown)
    elif asked.retrieval:
        click.echo("nothing in the retrieval corpus fits the task")
    click.echo(f"{done.last['task_id']}: snapshot {held['snapshot']}, run {held['snapshot_run_id']}; logged in {done.log}")


@click.command("replay-trend", cls=Command, short_help="Show how replays went over time.")
@warehouse_option
@sql_option
@json_option
def replay_trend(warehouse: Path, sql: Path | None, as_json: bool) -> None:
    """Show for every day and model how many answers the gate passed, and how often the larger model was asked.

    Both are read from replay.runs.
    """
    from pipeline.cli.printing import print_table
    from pipeline.reader import Warehouse
    from pipeline.replay import trend

    rows = trend(Warehouse(warehouse, sql=sql))
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=True))
        return
    if not rows:
        click.echo("nothing was replayed yet")
        return
    shown = [
        (
            *(row["day"], row["model"], row["replays"], row["passed"]),
            f"{row['pass_rate']:.1%}",
            f"{row['pass_rate_low']:.1%} to {row['pass_rate_high']:.1%}",
            *(row["passed_at_once"], row["escalated"]),
            f"{row['escalation_rate']:.1%}",
            f"{row['latency_ms_p50']:,.0f}",
        )
        for row in rows
    ]
    print_table(("day", "model", "replays", "passed", "rate", "95 %", "at once", "escalated", "rate", "p50 ms"), shown)


@click.command("replay-eval", cls=Command, short_help="Measure what evidence does for a model's answers.")
@click.option(
    "--tasks",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    help="Tasks, one a line. [default: made from the units of which most is known]",
)
@click.option(
    "--amount", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to make where no file is given."
)
@click.option("--local-only", is_flag=True, help="Refuse any server that is not this machine.")
@retriever_option
@top_k_option
@model_option
@base_url_option
@timeout_option
@as_of_option
@warehouse_option
@sql_option
@json_option
def replay_eval(tasks: Path | None, amount: int, warehouse: Path, sql: Path | None, as_json: bool, **options: Any) -> None:
    """Ask a model the same tasks with retrieval and without, and let the gate count: how many answers pass, how many are
    grounded, how many fabricated tokens an answer has; each with a 95 % interval.

    Both arms are held against what retrieval finds for the task. An answer without evidence can't cite, so none of them passes.
    Nothing is logged.
    """
    from pipeline.cli.printing import one_line, print_table
    from pipeline.cli.terminal import working
    from pipeline.reader import Warehouse
    from pipeline.replay import Asked
    from pipeline.replay.evaluation import evaluate, read_tasks

    with working(as_json) as terminal:
        listed = read_tasks(tasks) if tasks is not None else []
        found = evaluate(Warehouse(warehouse, sql=sql), Asked(task="", **options), listed, amount, terminal.stage)
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=True))
        return
    rows = [
        (
            *(arm.name, arm.answers, f"{arm.pass_rate.value:.0%}", f"{arm.pass_rate.low:.0%} to {arm.pass_rate.high:.0%}"),
            *(f"{arm.grounded.value:.0%}", f"{arm.grounded.low:.0%} to {arm.grounded.high:.0%}"),
            *(f"{arm.fabricated.value:.2f}", f"{arm.fabricated.low:.2f} to {arm.fabricated.high:.2f}"),
            f"{arm.latency_ms:,.0f}",
        )
        for arm in found.arms
    ]
    click.echo(one_line(f"{found.model}, snapshot {found.snapshot}, run {found.run_id}"))
    print_table(("", "answers", "passed", "95 %", "grounded", "95 %", "fabricated", "95 %", "mean ms"), rows)
