"""Options that several commands share, each with its environment variable."""

import re
import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click
from click.core import ParameterSource

from pipeline import advice
from pipeline.advice import FOLDERS, Call
from pipeline.cli.config import Sourced, switched_off
from pipeline.cli.console import natives_silenced
from pipeline.cli.ending import exit_code_of
from pipeline.errors import UsageError
from pipeline.settings import MAX_LINE, MOST_MAX_LINE, OPTION, Gates, Settings, as_option

_UNUSED = "distill.unused"
FORMATS = ("table", "csv", "json", "jsonl", "parquet")
Function = TypeVar("Function", bound=Callable[..., Any])


class Command(click.Command):
    """A command that ends with one clear line and the right exit code when something is wrong.

    One that works on a warehouse takes all common folders, also those that it only repeats in what it advises.
    """

    context_class = Sourced

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = {option.name for option in self.params}
        if "warehouse" in own:
            self.params += [option for option in _common() if option.name not in own]

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        group = parent.info_name if parent is not None and parent.parent is not None else None
        line = [" ".join(filter(None, (group, info_name or str(self.name)))), *args]
        started = advice.start(Call(line))
        try:
            ctx = super().make_context(info_name, args, parent, **extra)
        except BaseException:
            advice.end(started)
            raise
        ctx.call_on_close(lambda: advice.end(started))
        return ctx

    def invoke(self, ctx: click.Context) -> Any:
        with natives_silenced():
            sys.exit(exit_code_of(lambda: self._invoke(ctx)))

    def _invoke(self, ctx: click.Context) -> Any:
        _take_off(ctx)
        _note_call(ctx)
        return super().invoke(ctx)


def _take_off(ctx: click.Context) -> None:
    """Gives the options that --no-NAME takes away the value of nothing, as if it had been given."""
    for name in switched_off(ctx):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            (off,) = as_option(name, None)
            raise UsageError(f"{off} takes away what {_spelled(name)} gives: give one of them")
        if name in ctx.params:
            ctx.params[name] = () if name == "settlers" else None
        ctx.set_parameter_source(name, ParameterSource.COMMANDLINE)


def _spelled(name: str) -> str:
    return as_option(name, "")[0]


def _note_call(ctx: click.Context) -> None:
    """Notes what commands in messages have to repeat: what was given on the command line or by a variable of this call."""
    sources = {name: ctx.get_parameter_source(name) for name in (*FOLDERS, *(gate.name for gate in fields(Gates)))}
    given = {name for name, source in sources.items() if source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)}
    held = {**ctx.meta.get(_UNUSED, {}), **ctx.params}
    known = {name for name in FOLDERS if name in ctx.params or name in given}
    folders = {name: str(held[name]) for name in FOLDERS if name in known and held.get(name) is not None}
    off = ["--no-sql"] if "sql" in switched_off(ctx) else []
    switches = [word for gate in fields(Gates) if gate.name in given for word in as_option(gate.name, held[gate.name])]
    by_variable = [name for name in sources if sources[name] is ParameterSource.ENVIRONMENT]
    variables = {name: as_option(name, held[name]) for name in by_variable}
    advice.note(folders, frozenset(given & set(folders)), [*off, *switches], variables)


def _common() -> list[click.Parameter]:
    """Returns the folders that a command may be given although it does not open them."""

    @no_sql_option
    @sql_option
    @reports_option
    @exports_option
    @data_option
    def takes() -> None: ...

    found: list[click.Parameter] = list(reversed(takes.__click_params__))  # type: ignore[attr-defined]
    for option in found:
        if option.name in FOLDERS:
            option.expose_value, option.callback = False, _keep_unused
    return found


def _keep_unused(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
    ctx.meta.setdefault(_UNUSED, {})[option.name] = value
    return value


def _switch_off(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        switched_off(ctx).add(str(option.name).removeprefix("no_"))


def off_option(name: str, text: str) -> Callable[[Function], Function]:
    """Returns the option that takes another one away, and with it what the warehouse remembers or distill.toml says."""
    (spelled,) = as_option(name, None)
    return click.option(spelled, f"no_{name}", is_flag=True, expose_value=False, callback=_switch_off, help=text)


def no_sql_option(function: Function) -> Function:
    return off_option("sql", "Use no models of your own any more.")(function)


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


class Size(click.ParamType[int]):
    """A number of bytes such as 16MiB, 20MB or 5000."""

    name = "size"
    UNITS: ClassVar[dict[str, int]] = {"": 1, "b": 1} | {
        f"{prefix}{suffix}": base**power
        for power, prefix in enumerate("kmg", 1)
        for suffix, base in (("b", 1000), ("ib", 1024))
    }

    def __init__(self, most: int) -> None:
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"\s*([0-9]{1,15})\s*([a-z]*)\s*", value, re.ASCII | re.IGNORECASE)
        if found is None or found[2].lower() not in self.UNITS:
            self.fail(f"{value!r} is not a size such as 16MiB, 20MB or 5000", param, ctx)
        size = int(found[1]) * self.UNITS[found[2].lower()]
        if not 1 <= size <= self._most:
            self.fail(f"{value!r} is not between 1 byte and {self._most // 1024**2}MiB", param, ctx)
        return size


class Finite(click.FloatRange):
    """A number within bounds: what is not a number lies within none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


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


class Percent(Finite):
    """A finite number of percent from 0 on."""

    name = "percent"

    def __init__(self) -> None:
        super().__init__(min=0, max=1e9)


class Folder(click.Path):
    """A folder that has a name: an empty one, as of a variable that was not set, would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name of the folder is empty; name one, or leave the option out", param, ctx)
        return super().convert(value, param, ctx)


def folder(name: str, default: str | None, text: str) -> Callable[[Function], Function]:
    """Returns an option that names a folder, as --NAME or DISTILL_NAME."""
    return click.option(
        f"--{name}",
        type=Folder(path_type=Path, file_okay=False),
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
    return folder(
        "data", "data/_kb", "Folder of the streams: <stream>.jsonl or .ndjson, [.gz|.zst], or folders of such files."
    )(function)


def switch(declared: str, *names: str, **attributes: Any) -> Callable[[Function], Function]:
    """Returns an option of a run; its variable is DISTILL_ and its name, as it is called in distill.toml."""
    name = names[0] if names else declared.split("/")[0].removeprefix("--").replace("-", "_")
    return click.option(declared, *names, envvar=f"DISTILL_{name.upper()}", show_envvar=True, **attributes)


RUN_OPTIONS = (
    data_option,
    exports_option,
    switch(
        "--include-review/--no-include-review", default=False, help="Let records that wait for a human into the RAG corpus."
    ),
    switch("--include-partial/--no-include-partial", default=False, help="Let partially accepted records into the SFT corpus."),
    switch(
        "--known-paths",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="Paths that exist, one a line as `git ls-files` prints; records that cite others are quarantined.",
    ),
    off_option("known_paths", "Let records through whatever they cite."),
    switch(
        "--cross-stream/--no-cross-stream",
        default=True,
        show_default=True,
        help="Pair records of different streams that are about the same subject.",
    ),
    switch(
        "--cross-stream-days",
        type=click.IntRange(min=0, max=36500),
        default=7,
        show_default=True,
        help="How far apart such records may lie.",
    ),
    switch(
        "--max-chars",
        type=click.IntRange(min=1, max=2**31 - 1),
        default=None,
        help="Quarantine pairs whose sides are equal in their first so many characters: all that a trainer would see.",
    ),
    off_option("max_chars", "Compare the whole of both sides alone."),
    switch(
        "--pairs",
        type=click.Choice(["same-prompt", "task"]),
        default="same-prompt",
        show_default=True,
        help="Pair records of a task that answer the same instruction, or all records of a task.",
    ),
    switch(
        "--max-pairs",
        type=click.IntRange(min=1, max=2**31 - 1),
        default=5,
        show_default=True,
        help="Export at most so many pairs of one task. Across streams, five of one subject are exported, whatever this says.",
    ),
    switch(
        "--settler",
        "settlers",
        metavar="NAME",
        multiple=True,
        help="Count discrepancies that NAME settled, beside those settled by person:, test: and tool:. May be repeated.",
    ),
    off_option("settlers", "Count only those settled by person:, test: and tool:."),
    switch("--strict", is_flag=True, help="Fail where a line had to be skipped."),
    click.option("--accept-rewrite", is_flag=True, help="Land files anew whose landed bytes changed, as a new generation."),
    switch(
        "--max-line",
        type=Size(MOST_MAX_LINE),
        default=f"{MAX_LINE // 1024**2}MiB",
        show_default=True,
        help="Keep only size, hash and first 4 KiB of a line that is longer; it is skipped as too_long. At most "
        f"{MOST_MAX_LINE // 1024**2}MiB.",
    ),
    click.option("--recorded-at", type=Moment(), default=None, help="Landing time of new lines. [default: now]"),
    switch(
        "--drift-threshold",
        type=Percent(),
        default=20.0,
        show_default=True,
        help="Swing in percent that is worth a warning.",
    ),
    switch(
        "--fail-on",
        type=click.Choice(["error", "warn"]),
        default="error",
        show_default=True,
        help="With warn, drift that warns ends the command with 1; what it made is published all the same.",
    ),
    switch("--threads", type=click.IntRange(1, 1024), default=None, help="Threads of DuckDB. [default: all cores]"),
    switch(
        "--memory-limit", type=Memory(), default="2GB", show_default=True, help="Memory of DuckDB before it spills to disk."
    ),
)


def run_options(function: Function) -> Function:
    """Adds everything that a run can be told."""
    for option in reversed((*RUN_OPTIONS, warehouse_option, reports_option, sql_option, no_sql_option, json_option)):
        function = option(function)
    return function


def origins() -> dict[str, str]:
    """Returns where each option got its value that this call, a variable or a distill.toml gives."""
    ctx = click.get_current_context()
    found = {}
    for option in ctx.command.params:
        source = ctx.get_parameter_source(str(option.name))
        if source is ParameterSource.COMMANDLINE:
            found[str(option.name)] = OPTION
        elif source is ParameterSource.ENVIRONMENT:
            found[str(option.name)] = str(option.envvar)
        elif source is ParameterSource.DEFAULT_MAP and isinstance(ctx, Sourced):
            found[str(option.name)] = str(ctx.file)
    return found


def settings_of(**given: Any) -> Settings:
    """Returns the settings of a command that makes nothing new: it takes what the warehouse remembers."""
    return Settings(**given, origins=origins())


def settings_from(options: dict[str, Any]) -> Settings:
    """Returns the settings of a run from its options."""
    gates = Gates(**{switch.name: options.pop(switch.name) for switch in fields(Gates)})
    return Settings(gates=gates, **options, origins=origins())
