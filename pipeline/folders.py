"""The folders of a warehouse, which must be apart from each other: what one holds, another must not take for its own."""

import os
import shlex
from itertools import permutations
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.settings import Settings

# A run's reports have a folder of its name, so they leave others alone, but they would be read as data.
_MAY_LIE_IN = {("reports", "exports"), ("data", "reports"), ("warehouse", "reports"), ("exports", "reports")}


def must_be_apart(settings: Settings, *, with_data: bool) -> None:
    """Raises UsageError where a folder is, or lies in, another that would take its files for its own, or can't be a folder."""
    folders = {"data": settings.data, "warehouse": settings.warehouse, "exports": settings.exports, "reports": settings.reports}
    if not with_data:
        del folders["data"]
    for name, path in folders.items():
        _must_be_possible(name, path)
    places = {name: Path(os.path.realpath(path)) for name, path in folders.items()}
    for inner, outer in permutations(places, 2):
        same = places[inner] == places[outer]
        if same or (places[inner].is_relative_to(places[outer]) and (inner, outer) not in _MAY_LIE_IN):
            how = "is the same folder as" if same else "lies in"
            to_move = outer if inner == "data" else inner
            new = shlex.quote(str(places[outer].parent / f"new-{to_move}"))
            raise UsageError(
                f"--{inner} {folders[inner]} {how} --{outer} {folders[outer]}, and one would take the other's files for "
                f"its own; next: give the same command with --{to_move} {new}"
            )


def _must_be_possible(name: str, path: Path) -> None:
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if os.path.lexists(folder))
    if not there.is_dir():
        what = "a link to nothing" if there.is_symlink() and not there.exists() else "a file"
        raise UsageError(f"--{name} {path}: {there} is {what}, and a folder belongs there; next: name another with --{name}")
