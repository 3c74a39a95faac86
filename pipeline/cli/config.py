"""Where an option gets its value that the command line does not give: a variable, else distill.toml, else a default."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from pipeline import advice
from pipeline.errors import UsageError
from pipeline.settings import Gates, Settings, as_option

FILE = "distill.toml"
# Of one command alone: nobody wants these for every run.
_NOT_IN_A_FILE = {"gates", "accept_rewrite", "recorded_at", "origins"}
_TYPES = {field.name: field.type for kind in (Settings, Gates) for field in fields(kind)} | {"fail_on": str}
KEYS = {name: kind for name, kind in _TYPES.items() if name not in _NOT_IN_A_FILE}
_PATHS = {name for name, kind in KEYS.items() if kind in (Path, Path | None)}
_FORMS: tuple[tuple[tuple[Any, ...], str, type | tuple[type, ...]], ...] = (
    ((Path, Path | None), '"a/path"', str),
    ((bool,), "true or false", bool),
    ((int, int | None), "a whole number", int),
    ((float,), "a number", (int, float)),
    ((str,), '"text"', str),
    ((tuple[str, ...],), '["text", "text"]', list),
)
_OFF = "distill.off"


class Sourced(click.Context):
    """A call of a command, with the values of its distill.toml. Raises UsageError where these are not what they should be.

    The file is read when the first option asks for it: `--help` is there for whoever has to mend it.
    """

    file: Path | None = None

    def lookup_default(self, name: str, call: bool = True) -> Any:
        if call and name in KEYS and name not in switched_off(self):
            _refuse_empty_variable(self, name)
            if self.default_map is None:
                self.file = find()
                self.default_map = dict(read(self.file)) if self.file is not None else {}
            if name in self.default_map and self.file is not None:
                _check(self, name, self.default_map[name], self.file)
        return super().lookup_default(name, call=True) if call else super().lookup_default(name, call=False)


def switched_off(ctx: click.Context) -> set[str]:
    """Returns the names of the options that this call takes away with --no-NAME."""
    found: set[str] = ctx.meta.setdefault(_OFF, set())
    return found


def find() -> Path | None:
    """Returns the distill.toml of the current folder or the nearest one above."""
    try:
        here = Path.cwd()
    except OSError:
        return None
    return next((path for folder in (here, *here.parents) if (path := folder / FILE).is_file()), None)


def read(path: Path) -> Mapping[str, Any]:
    """Returns the values of a distill.toml; its paths start at its folder."""
    try:
        held = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: this is not TOML: {error}") from error
    for key, value in held.items():
        if key not in KEYS:
            close = key.replace("-", "_").lower()
            known = f"write `{_line(close)}`" if close in KEYS else f"there are {', '.join(sorted(KEYS))}"
            raise UsageError(f"{path}: there is no setting {key!r}; {known}")
        if not _fits(KEYS[key], value):
            raise UsageError(f"{path}: {key} is {_shown(value)}; write `{_line(key)}`")
    # In the same folder they stay as they were written: shorter in what is printed.
    above = Path() if path.parent == Path.cwd() else path.parent
    return {key: str(above / value) if key in _PATHS else value for key, value in held.items()}


def _fits(kind: Any, value: Any) -> bool:
    wanted = next(python for kinds, _, python in _FORMS if kind in kinds)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        return False
    if isinstance(value, list):
        return all(isinstance(one, str) and one.strip() for one in value)
    return not isinstance(value, str) or (bool(value.strip()) and "\x00" not in value)


def _line(key: str) -> str:
    return f"{key} = {next(form for kinds, form, _ in _FORMS if KEYS[key] in kinds)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _check(ctx: click.Context, name: str, value: Any, file: Path) -> None:
    """Holds a value against what its option takes: click would name the option, not the file."""
    for option in ctx.command.params:
        if option.name == name:
            try:
                option.type_cast_value(ctx, value)
            except click.BadParameter as error:
                raise UsageError(f"{file}: {name} is {_shown(value)}: {error.message}") from error


def _refuse_empty_variable(ctx: click.Context, name: str) -> None:
    """An empty variable is a mistake more often than a wish, and would be a gate switched off by silence."""
    variable = f"DISTILL_{name.upper()}"
    options = {str(option.name): option.envvar for option in ctx.command.params}
    if options.get(name) != variable or os.environ.get(variable) != "":
        return
    without = f"env -u {variable} {advice.again()}"
    off = f"; to do without it: `{advice.again(*as_option(name, None))}`" if f"no_{name}" in options else ""
    raise UsageError(f"{variable} is empty, which says nothing; next: `{without}`{off}")
