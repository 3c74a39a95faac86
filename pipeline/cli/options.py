"""Options that several commands share, each with its environment variable."""

import re
import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline import keyboard
from pipeline.cli.console import natives_silenced
from pipeline.cli.ending import exit_code_of
from pipeline.settings import Gates, Settings

FORMATS = ("table", "csv", "json", "jsonl", "parquet")
Function = TypeVar("Function", bound=Callable[..., Any])


class Command(click.Command):
    """A command that ends with one clear line and the right exit code when something is wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        keyboard.listen()
        with natives_silenced():
            sys.exit(exit_code_of(lambda: super(Command, self).invoke(ctx)))


class Moment(click.ParamType[datetime]):
    """An ISO 8601 time; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no ISO 8601 time such as 2026-04-27T03:33:53Z", param, ctx)
        try:
            return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
        except OverflowError:
            self.fail(f"{value!r} is not within the years 1 to 9999 in UTC", param, ctx)


class Number(click.FloatRange):
    """A number within a range; what is no number lies within none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is no number", param, ctx)
        return number


class Percent(Number):
    """A finite number of percent from 0 on."""

    name = "percent"

    def __init__(self) -> None:
        super().__init__(min=0, max=1e9)


class Memory(click.ParamType[str]):
    """A size of memory, as DuckDB reads it, that something can be done in."""

    name = "size"
    least = 16 * 10**6
    _SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([kmgt]i?)b", re.IGNORECASE | re.ASCII)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        matched = self._SIZE.fullmatch(value)
        if matched is None:
            self.fail(f"{value!r} is no size of memory such as 2GB or 512MiB", param, ctx)
        base = 1024 if matched[2].lower().endswith("i") else 1000
        if not self.least <= float(matched[1]) * base ** ("kmgt".index(matched[2][0].lower()) + 1) < 2**60:
            self.fail(f"{value!r} is not between {self.least // 10**6}MB and 1000000TB", param, ctx)
        return str(value)


def folder(name: str, default: str | None, text: str) -> Callable[[Function], Function]:
    """Returns an option that names a folder, as --NAME or DISTILL_NAME."""
    return click.option(
        f"--{name}",
        type=click.Path(path_type=Path, file_okay=False),
        default=default,
        envvar=f"DISTILL_{name.upper()}",
        show_default=default is not None,
        show_envvar=True,
        help=text,
    )


def warehouse_option(function: Function) -> Function:
    return folder("warehouse", "warehouse", "Folder of the Delta tables.")(function)


def exports_option(function: Function) -> Function:
    return folder("exports", "exports", "Folder that the corpora are written to.")(function)


def reports_option(function: Function) -> Function:
    return folder("reports", "reports", "Folder of the reports of every run.")(function)


def sql_option(function: Function) -> Function:
    return folder(
        "sql",
        None,
        "Folder with models of your own, laid out as sql/ is; they join ours, or replace them by name. Its SQL is run: "
        "name only a folder that you trust like code.",
    )(function)


def json_option(function: Function) -> Function:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")(function)


def as_of_option(function: Function) -> Function:
    return click.option(
        "--as-of", default=None, metavar="WHEN", help="A run id, latest, last-good, 'N runs ago', or a time. [default: latest]"
    )(function)


def data_option(function: Function) -> Function:
    return folder("data", "data/_kb", "Folder of the streams: <stream>.jsonl[.gz|.zst], or folders of such files.")(function)


RUN_OPTIONS = (
    data_option,
    exports_option,
    click.option("--include-review", is_flag=True, help="Let records that wait for a human into the RAG corpus."),
    click.option("--include-partial", is_flag=True, help="Let partially accepted records into the SFT corpus."),
    click.option(
        "--known-paths",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        envvar="DISTILL_KNOWN_PATHS",
        show_envvar=True,
        help="Paths that exist, one a line as `git ls-files` prints; records that cite others are quarantined.",
    ),
    click.option(
        "--cross-stream/--no-cross-stream",
        default=True,
        show_default=True,
        help="Pair records of different streams that are about the same subject.",
    ),
    click.option(
        "--cross-stream-days",
        type=click.IntRange(min=0, max=36500),
        default=7,
        show_default=True,
        help="How far apart such records may lie.",
    ),
    click.option(
        "--max-chars",
        type=click.IntRange(min=1, max=2**31 - 1),
        default=None,
        help="Quarantine pairs whose sides are equal in their first so many characters: all that a trainer would see.",
    ),
    click.option(
        "--pairs",
        type=click.Choice(["same-prompt", "task"]),
        default="same-prompt",
        show_default=True,
        help="Pair records of a task that answer the same instruction, or all records of a task.",
    ),
    click.option(
        "--max-pairs",
        type=click.IntRange(min=1, max=2**31 - 1),
        default=5,
        show_default=True,
        help="Export at most so many pairs of one task, and of one subject.",
    ),
    click.option(
        "--settler",
        "settlers",
        metavar="NAME",
        multiple=True,
        help="Count discrepancies that NAME settled, beside those settled by person:, test: and tool:. May be repeated.",
    ),
    click.option("--strict", is_flag=True, help="Fail where a line had to be skipped."),
    click.option("--accept-rewrite", is_flag=True, help="Land files anew whose landed bytes changed, as a new generation."),
    click.option("--recorded-at", type=Moment(), default=None, help="Landing time of new lines. [default: now]"),
    click.option(
        "--drift-threshold",
        type=Percent(),
        default=20.0,
        show_default=True,
        help="Swing in percent that is worth a warning.",
    ),
    click.option("--threads", type=click.IntRange(1, 1024), default=None, help="Threads of DuckDB. [default: all cores]"),
    click.option(
        "--memory-limit", type=Memory(), default="2GB", show_default=True, help="Memory of DuckDB before it spills to disk."
    ),
)


def run_options(function: Function) -> Function:
    """Adds everything that a run can be told."""
    for option in reversed((*RUN_OPTIONS, warehouse_option, reports_option, sql_option, json_option)):
        function = option(function)
    return function


def settings_from(options: dict[str, Any]) -> Settings:
    """Returns the settings of a run from its options."""
    gates = Gates(**{switch.name: options.pop(switch.name) for switch in fields(Gates)})
    return Settings(gates=gates, **options)
