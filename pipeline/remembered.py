"""No gate goes off by silence: what the newest published state was made with stays until another value is given.

A value counts in this order: the command line, a variable, distill.toml, what the warehouse remembers, the default. Only the
command line opens a gate wider than the published state had it. See docs/decisions/0018-no-gate-by-silence.md.
"""

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pipeline import advice
from pipeline.disk import replace_file
from pipeline.errors import DamageError, InputError, UsageError
from pipeline.settings import DEFAULTS, GATES, LISTS, OPTION, Gates, Settings, as_option

Values = dict[str, Any]


def read_lists(settings: Settings) -> dict[str, bytes]:
    """Returns the content of the lists that a run was given. Read once: from a pipe, it comes only once."""
    found = {}
    for name in LISTS:
        path = getattr(settings.gates, name)
        if path is not None:
            try:
                found[name] = path.read_bytes()
                found[name].decode("utf-8")
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or error
                raise InputError(
                    f"{path}: the list for {as_option(name, '')[0]} can't be read: {why}; "
                    f"{_from(settings.origin(name))}next: put it there, and type `{advice.again()}`"
                ) from error
    return found


def _from(origin: str | None) -> str:
    return "" if origin in (None, OPTION) else f"{origin} names it; "


def settled(settings: Settings, state: Mapping[str, Any], run_id: str | None, lists: Mapping[str, bytes]) -> Settings:
    """Returns the settings with each gate that nobody gave as the published state had it, and with lists that are kept.

    run_id: of the newest published state
    Raises UsageError where a variable or a file would open a gate wider than that state had it.
    """
    kept = {name: _keep(settings, name, content) for name, content in lists.items()}
    before = gates_in(state)
    now: Values = {}
    for name, default in DEFAULTS.items():
        if settings.origin(name) is not None:
            now[name] = kept.get(name, getattr(settings.gates, name))
        elif name in before:
            now[name] = _recalled(settings, name, before[name], run_id)
        else:
            now[name] = default
    _refuse_wider(settings, now, before, run_id)
    return replace(settings, gates=Gates(**now))


def _refuse_wider(settings: Settings, now: Values, before: Values, run_id: str | None) -> None:
    wider = {
        name: settings.origin(name)
        for name in before
        if settings.origin(name) not in (None, OPTION) and GATES[name].wider(now[name], _plain(before[name]))
    }
    if not wider:
        return
    found = ", ".join(f"{origin} has {name} = {_written(now[name])}" for name, origin in wider.items())
    was = ", ".join(f"{name} = {_written(before[name])}" for name in wider)
    keep = [word for name in wider for word in _kept_option(settings, name, before[name])]
    opens = [word for name in wider for word in as_option(name, now[name])]
    raise UsageError(
        f"{found}, which lets out more than the newest published state, run {run_id}, with {was}. "
        f"Only the command line opens a gate; {_either(keep, 'open it', opens, wider)}"
    )


def _either(keep: Sequence[str], verb: str, change: Sequence[str], names: Collection[str]) -> str:
    kept, changed = (advice.again(*options, instead_of=names) for options in (keep, change))
    return f"to keep it: `{kept}`; to {verb}: `{changed}`"


def _written(value: Any) -> str:
    if value is None:
        return "none"
    return (
        str(value).lower() if isinstance(value, bool) else ", ".join(value) if isinstance(value, list | tuple) else str(value)
    )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _kept_option(settings: Settings, name: str, value: Any) -> list[str]:
    if name in LISTS and value is not None:
        return as_option(name, _place(settings.warehouse, name, value["sha256"]))
    return as_option(name, _plain(value))


def _place(warehouse: Path, name: str, sha256: str) -> Path:
    return warehouse / advice.LISTS / name / sha256


def _keep(settings: Settings, name: str, content: bytes) -> Path:
    """Writes a list into the warehouse, where it stays for the states that are made with it."""
    path = _place(settings.warehouse, name, hashlib.sha256(content).hexdigest())
    given = getattr(settings.gates, name)
    if not path.is_file() or path.read_bytes() != content:
        replace_file(path, content)
    if not given.is_file():
        advice.replace_word(str(given), str(path))
    return path


def _recalled(settings: Settings, name: str, value: Any, run_id: str | None) -> Any:
    if name not in LISTS or value is None:
        return _plain(value)
    off = f"`{advice.again(*as_option(name, None))}` goes on without a list"
    given = f"`git ls-files | {advice.again(*as_option(name, advice.STDIN))}` gives one again"
    if value["sha256"] is None:
        raise UsageError(
            f"the newest published state, run {run_id}, was made with a list for {as_option(name, '')[0]}, "
            f"by a release that did not keep it; next: {given}, {off}"
        )
    path = _place(settings.warehouse, name, value["sha256"])
    whose = f"the list for {as_option(name, '')[0]} that the newest published state, run {run_id}, was made with"
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"{path}: {whose}, is gone; next: {given}, {off}") from error
    if hashlib.sha256(content).hexdigest() != value["sha256"]:
        raise DamageError(f"{path}: {whose}, was changed or damaged since; next: {given}, {off}")
    return path


def gates_in(state: Mapping[str, Any]) -> Values:
    """Returns the gates that a state was made with, by name; of a list, its hash, or None for it where it was not kept."""
    held = state.get("gates")
    if held is not None:
        return {name: value for name, value in held.items() if name in DEFAULTS}
    # Made by a release that kept only what the exports asked.
    switches = state.get("switches", {})
    found = {name: switches[name] for name in DEFAULTS if name in switches}
    if "known_paths_given" in switches:
        found["known_paths"] = {"sha256": None} if switches["known_paths_given"] else None
    return found


def recalled_values(settings: Settings, state: Mapping[str, Any]) -> Values:
    """Returns what a warehouse remembers, as it is shown: a list as the file that keeps it."""
    found = {}
    for name, value in gates_in(state).items():
        kept = name in LISTS and value is not None
        found[name] = (
            (str(_place(settings.warehouse, name, value["sha256"])) if value["sha256"] else "not kept") if kept else value
        )
    if state.get("sql") is not None:
        found["sql"] = str(_found(settings.warehouse, state["sql"]) or state["sql"]["path"])
    return found


def noted(settings: Settings) -> Values:
    """Returns what a state says of what it was made with: the part that the next run goes on from."""
    gates = {}
    for gate in fields(Gates):
        value = getattr(settings.gates, gate.name)
        gates[gate.name] = (
            {"sha256": value.name} if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
        )
    folders = {name: str(getattr(settings, name).absolute()) for name in ("data", "exports", "reports")}
    return {"gates": gates, "sql": _located(settings), "folders": folders}


def _located(settings: Settings) -> dict[str, str] | None:
    if settings.sql is None:
        return None
    # Both: a warehouse is moved alone, or together with its models.
    return {
        "path": str(settings.sql.absolute()),
        "from_warehouse": os.path.relpath(settings.sql.absolute(), settings.warehouse.absolute()),
    }


def sql_folder(settings: Settings, state: Mapping[str, Any], run_id: str | None) -> Path | None:
    """Returns the folder with models of the user's own that a command is to take.

    Raises UsageError where the one that the state was made with is gone, or something else than the command line names another.
    """
    origin = settings.origin("sql")
    if origin == OPTION or "sql" not in state:
        return settings.sql
    held = state["sql"]
    found = None if held is None else _found(settings.warehouse, held)
    if origin is None:
        if held is not None and found is None:
            raise UsageError(
                f"{held['path']}: the models that the newest published state, run {run_id}, was made with are not there; "
                f"to keep them, put them back and type `{advice.again('--sql', held['path'])}`; "
                f"to do without: `{advice.again('--no-sql')}`"
            )
        return found
    if settings.sql is not None and found is not None and found.resolve() == settings.sql.resolve():
        return settings.sql
    keep = ["--no-sql"] if held is None else ["--sql", str(found or held["path"])]
    made_with = held["path"] if held is not None else "no models but ours"
    raise UsageError(
        f"{origin} has sql = {settings.sql}, and the newest published state, run {run_id}, was made with {made_with}: "
        "other models may open any gate, so only the command line changes them; "
        f"{_either(keep, 'change it', ['--sql', str(settings.sql)], {'sql'})}"
    )


def _found(warehouse: Path, held: Mapping[str, str]) -> Path | None:
    """Returns the folder of models that a warehouse names. Never one within it: a warehouse from elsewhere brings no code."""
    for path in (Path(os.path.normpath(warehouse.absolute() / held["from_warehouse"])), Path(held["path"])):
        if path.is_dir() and not path.resolve().is_relative_to(warehouse.resolve()):
            return _shortened(path)
    return None


def _shortened(path: Path) -> Path:
    """Returns a path as one would type it here."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, OSError):
        return path


def advise(warehouse: Path, state: Mapping[str, Any]) -> None:
    """Makes commands for a new warehouse give it the gates of this one, and others the folders that it was made in."""
    options = []
    for name, value in gates_in(state).items():
        if name in LISTS and value is not None:
            kept = value["sha256"]
            options += as_option(name, _shortened(_place(warehouse, name, kept)) if kept is not None else advice.STDIN)
        elif _plain(value) != DEFAULTS[name]:
            options += as_option(name, _plain(value))
    made_in = {name: str(_shortened(Path(path))) for name, path in state.get("folders", {}).items()}
    made_in = {name: path for name, path in made_in.items() if path != advice.FOLDERS[name]}
    if state.get("sql") is not None and (found := _found(warehouse, state["sql"])) is not None:
        made_in["sql"] = str(found)
    advice.remember(options, made_in)


def unneeded_lists(warehouse: Path, states: list[Mapping[str, Any]]) -> list[Path]:
    """Returns the lists that none of some states was made with."""
    named = {value["sha256"] for state in states for value in gates_in(state).values() if isinstance(value, dict)}
    return [path for path in sorted((warehouse / advice.LISTS).glob("*/*")) if path.name not in named]
