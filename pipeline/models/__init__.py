"""A .sql file as a Model: its header, its inputs, its fingerprint. No model is known here by name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ModelError
from pipeline.settings import builtin_sql

if TYPE_CHECKING:
    from sqlglot import exp

    from pipeline.models.parsing import Parsed

LOCK_FILE = "versions.lock"
# The one file that stands in no room.
FUNCTIONS = "sql/functions"
_HEADER = re.compile(r"^-- (grain|version|stage|key|digest|bulk|proof): (.*)$")
_NUMBERED = re.compile(r"^\d+_")


@dataclass(frozen=True)
class Model:
    """One file of logic.

    name:    room and file, such as `scored/audits`
    title:   the sentence that says what it is
    grain:   what one row of its result stands for
    version: raised whenever the SQL changes
    sql:     the file's text
    """

    name: str
    title: str
    grain: str
    version: int
    sql: str
    path: Path
    header: tuple[tuple[str, str], ...] = ()

    @property
    def room(self) -> str:
        return self.name.split("/")[0]

    @property
    def stem(self) -> str:
        return self.name.split("/")[1]

    @property
    def is_shared(self) -> bool:
        """True for files that serve a whole room (`_common.sql`), not a stream or a table of their own."""
        return self.stem.startswith("_")

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the tokens of the SQL: comments and layout don't count."""
        from pipeline.models import parsing

        with parsing.naming(self.path):
            return parsing.fingerprint_of(self.sql)

    @cached_property
    def query(self) -> "exp.Query":
        """The parsed SQL. Raises ModelError where it is no single query."""
        return self._parsed.query

    @cached_property
    def inputs(self) -> frozenset[str]:
        """The tables that the SQL reads, as `room.table`."""
        return self._parsed.tables

    @property
    def _parsed(self) -> "Parsed":
        from pipeline.models import parsing

        with parsing.naming(self.path):
            parsed = parsing.parsed(self.sql)
        if parsed is None:
            raise ModelError(f"{self.path}: a model must be one select")
        return parsed

    def head(self, key: str) -> str:
        """Returns a line of the header by its key, or an empty text."""
        return dict(self.header).get(key, "")


def read_header(text: str) -> tuple[str, dict[str, str]]:
    """Returns the sentence that a .sql file begins with, and the `-- key: value` lines under it."""
    title: list[str] = []
    header: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        if matched := _HEADER.match(line):
            header[matched[1]] = matched[2].strip()
        else:
            title.append(line.removeprefix("--").strip())
    return " ".join(title), header


def read_model(path: Path, folder: Path) -> Model:
    """Reads one model file; its name comes from its place below `folder`."""
    text = path.read_text(encoding="utf-8")
    title, header = read_header(text)
    below = path.parent.relative_to(folder)
    room = _NUMBERED.sub("", below.as_posix()) if below.parts else "sql"
    if not header.get("version", "").isdigit():
        raise ModelError(f"{path}: the header needs a line `-- version: 1`")
    return Model(
        name=f"{room}/{path.stem}",
        title=title,
        grain=header.get("grain", ""),
        version=int(header["version"]),
        sql=text,
        path=path,
        header=tuple(header.items()),
    )


@dataclass(frozen=True)
class Library:
    """All models, ours and a team's own; of two with the same name the later folder's counts."""

    folders: tuple[Path, ...]
    models: dict[str, Model]

    def room(self, room: str) -> list[Model]:
        """Returns the models of one folder, without the shared ones, by name."""
        return [m for name, m in sorted(self.models.items()) if m.room == room and not m.is_shared]

    def __getitem__(self, name: str) -> Model:
        try:
            return self.models[name]
        except KeyError:
            raise ModelError(f"there is no model {name} below {', '.join(map(str, self.folders))}") from None

    def __contains__(self, name: str) -> bool:
        return name in self.models

    @cached_property
    def functions(self) -> Model:
        return self[FUNCTIONS]

    def unlocked(self) -> list[str]:
        """Returns a line for every model whose SQL changed without a new version, or that the lock lacks."""
        locked: dict[str, tuple[int, str]] = {}
        for folder in self.folders:
            locked |= read_lock(folder / LOCK_FILE)
        findings = []
        for name, model in sorted(self.models.items()):
            version, fingerprint = locked.get(name, (None, ""))
            command = f"distill lock{self._option(model)}"
            if version is None:
                findings.append(f"{name}: not in {LOCK_FILE}; `{command}` adds it")
            elif fingerprint != model.fingerprint and version == model.version:
                findings.append(f"{name}: its SQL changed, but its version is still {version}; raise it, then `{command}`")
            elif version != model.version:
                findings.append(f"{name}: is version {model.version}, {LOCK_FILE} says {version}; run `{command}`")
        return findings

    def _option(self, model: Model) -> str:
        home = next(folder for folder in reversed(self.folders) if model.path.is_relative_to(folder))
        return f" --sql {home}" if home != builtin_sql() else ""


def load(folders: Iterable[Path]) -> Library:
    """Reads all models below `folders` except the tables. Raises ModelError with the file that is wrong."""
    found: dict[str, Model] = {}
    kept, rooms = tuple(folders), _rooms()
    for folder in kept:
        if not folder.is_dir():
            raise ModelError(f"{folder}: no such folder of models; --sql names a folder laid out as sql/ is")
        for path in sorted(folder.rglob("*.sql")):
            if path.parent.name != "tables":
                model = read_model(path, folder)
                if model.name.rpartition("/")[0] not in rooms and model.name != FUNCTIONS:
                    known = ", ".join(f"{number}{room}" for room, number in rooms.items())
                    raise ModelError(f"{path}: nothing reads models of this folder; they stand in {known}")
                found[model.name] = model
    return Library(kept, found)


@cache
def _rooms() -> dict[str, str]:
    """Returns the rooms that models stand in, each with the number before the name of its folder."""
    names = sorted(path.name for path in builtin_sql().iterdir() if path.is_dir() and any(path.glob("*.sql")))
    return {(room := _NUMBERED.sub("", name)): name.removesuffix(room) for name in names}


def read_lock(path: Path) -> dict[str, tuple[int, str]]:
    """Returns {model: (version, fingerprint)} as locked; empty where there is no lock file."""
    if not path.exists():
        return {}
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#")
    return {name: (int(version), fingerprint) for name, version, fingerprint in rows}


def write_lock(folder: Path) -> Path:
    """Writes the lock of one folder. Raises ModelError where SQL changed but its version did not."""
    library = load([folder])
    stale = [line for line in library.unlocked() if "its SQL changed" in line]
    if stale:
        raise ModelError("\n".join(stale))
    lines = ["# model version fingerprint; written by `distill lock`"]
    lines += [f"{name} {model.version} {model.fingerprint}" for name, model in sorted(library.models.items())]
    path = folder / LOCK_FILE
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
