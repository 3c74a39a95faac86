"""Where things are, and the switches of a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

# Of longer lines only the gist is kept; --max-line moves it, up to what the machine can still work with as one text.
MAX_LINE = 16 * 1024 * 1024
MOST_MAX_LINE = 64 * 1024 * 1024

_PACKAGED_SQL = Path(__file__).parent / "_sql"
_REPOSITORY_SQL = Path(__file__).parent.parent / "sql"
OPTION = "the command line"


def builtin_sql() -> Path:
    """Returns the folder of our own models: inside the wheel, or `sql/` of a checkout."""
    return _PACKAGED_SQL if _PACKAGED_SQL.is_dir() else _REPOSITORY_SQL


@dataclass(frozen=True)
class Gates:
    """The switches that decide what may leave the warehouse. SQL sees them as `run.options`.

    What the newest published state was made with stays until another value is given: see `pipeline/remembered.py`. A field that
    holds a path is a list, which the warehouse keeps by its content.
    """

    include_review: bool = False
    include_partial: bool = False
    known_paths: Path | None = None
    cross_stream: bool = True
    cross_stream_days: int = 7
    max_chars: int | None = None
    pairs: str = "same-prompt"
    max_pairs: int = 5
    settlers: tuple[str, ...] = ()


LISTS = tuple(gate.name for gate in fields(Gates) if gate.type == Path | None)
DEFAULTS: Mapping[str, Any] = {gate.name: gate.default for gate in fields(Gates)}


def _more(now: Any, before: Any) -> bool:
    return bool(now > before)


def _taken_away(now: Any, before: Any) -> bool:
    return now is None and before is not None


def _later(now: Any, before: Any) -> bool:
    return before is not None and (now is None or now > before)


def _new_names(now: Any, before: Any) -> bool:
    return bool(set(now) - set(before))


@dataclass(frozen=True)
class Gate:
    """Which way a switch opens.

    wider: whether a value lets out more than another one
    says:  what is to be known where it is wider than by default, or a list that is not there
    """

    wider: Callable[[Any, Any], bool]
    says: str


# Another list is not an opening, whatever it holds: whoever changes the file changes the input.
GATES: Mapping[str, Gate] = {
    "include_review": Gate(_more, "include_review is on"),
    "include_partial": Gate(_more, "include_partial is on"),
    "known_paths": Gate(_taken_away, "known_paths: no list, so hallucinated_file_path is off"),
    "cross_stream": Gate(_more, "cross_stream is on"),
    "cross_stream_days": Gate(_more, "cross_stream_days is {value}"),
    "max_chars": Gate(_later, "max_chars is {value}"),
    "pairs": Gate(lambda now, before: (now, before) == ("task", "same-prompt"), "pairs is {value}"),
    "max_pairs": Gate(_more, "max_pairs is {value}"),
    "settlers": Gate(_new_names, "settlers: {value}"),
}


def is_open(name: str, value: Any) -> bool:
    """Returns whether a gate is off, or wider than by default."""
    return value is None if name in LISTS else GATES[name].wider(value, DEFAULTS[name])


def opened_gates(gates: Mapping[str, Any]) -> list[str]:
    """Returns what is to be said of the gates that are off or wider than by default."""
    shown = {name: ", ".join(value) if isinstance(value, list | tuple) else value for name, value in gates.items()}
    return [GATES[name].says.format(value=shown[name]) for name in DEFAULTS if name in gates and is_open(name, gates[name])]


def as_option(name: str, value: Any) -> list[str]:
    """Returns the words on a command line that give a switch a value.

    >>> as_option("known_paths", None), as_option("settlers", ("ann", "bob"))
    (['--no-known-paths'], ['--settler', 'ann', '--settler', 'bob'])
    """
    option = name.replace("_", "-") if name != "settlers" else "settler"
    if value is None or value is False or value == ():
        return [f"--no-{option}"]
    if value is True:
        return [f"--{option}"]
    values = value if isinstance(value, tuple) else (value,)
    return [word for one in values for word in (f"--{option}", str(one))]


@dataclass(frozen=True)
class Settings:
    """The folders of a warehouse and how to run on them.

    origins: where each value comes from that was given, by its name: OPTION, a variable, or a file. A switch that is not among
             them stays as the warehouse remembers it. None: all of them are given, as from Python.
    """

    data: Path = Path("data/_kb")
    warehouse: Path = Path("warehouse")
    exports: Path = Path("exports")
    reports: Path = Path("reports")
    sql: Path | None = None
    gates: Gates = field(default_factory=Gates)
    strict: bool = False
    accept_rewrite: bool = False
    max_line: int = MAX_LINE
    recorded_at: datetime | None = None
    drift_threshold: float = 20.0
    threads: int | None = None
    memory_limit: str = "2GB"
    origins: Mapping[str, str] | None = None

    def sql_folders(self) -> tuple[Path, ...]:
        """Returns the folders with models, ours first; a file of a later one replaces ours of the same name."""
        return (builtin_sql(),) if self.sql is None else (builtin_sql(), self.sql)

    def origin(self, name: str) -> str | None:
        """Returns where a value was given; None where it was not."""
        return OPTION if self.origins is None else self.origins.get(name)
