"""The invariants, one SQL file each: bind what was gathered, run them, say which hold."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import models
from pipeline.acceptance import fixture
from pipeline.acceptance.bench import Bench, Facts
from pipeline.acceptance.facts import gather
from pipeline.disk import temporary_folder
from pipeline.engine import Engine
from pipeline.errors import GateError
from pipeline.models import Library
from pipeline.settings import Settings

ROOM = "acceptance"
SHOWN_ROWS = 3


@dataclass(frozen=True)
class Verdict:
    """Whether one invariant holds; where it does not, the first rows that break it."""

    number: int
    name: str
    title: str
    violations: tuple[dict[str, Any], ...]

    @property
    def passed(self) -> bool:
        return not self.violations

    @property
    def detail(self) -> str:
        """Returns what the invariant says, or what breaks it."""
        return self.title if self.passed else _shown(self.violations)

    def as_json(self) -> dict[str, Any]:
        return {"number": self.number, "name": self.name, "passed": self.passed, "detail": self.detail}


def examine(sql: Path | None = None) -> list[Verdict]:
    """Runs the fixture in a temporary folder and judges it. Raises GateError where a run of it fails that must not."""
    with temporary_folder("distill-acceptance-") as folder:
        facts = gather(Bench(folder, fixture.load(), sql))
    return judge(facts, models.load(Settings(sql=sql).sql_folders()))


def judge(facts: Facts, library: Library) -> list[Verdict]:
    """Returns a verdict for every invariant, by number."""
    with _bound(facts, library) as engine:
        return [_verdict(engine, model) for model in library.room(ROOM)]


def report(verdicts: list[Verdict]) -> Iterator[str]:
    """Yields one line per invariant, and last how many hold."""
    for verdict in verdicts:
        mark = "ok  " if verdict.passed else "FAIL"
        yield f"{mark} {verdict.number:>2} {verdict.name:<28} {verdict.detail}"
    yield f"{sum(verdict.passed for verdict in verdicts)}/{len(verdicts)}"


@contextmanager
def _bound(facts: Facts, library: Library) -> Iterator[Engine]:
    with temporary_folder("distill-") as spill:
        engine = Engine(library.functions.sql, threads=1, spill=spill)
        try:
            for name, table in facts.items():
                engine.bind_arrow(name, table)
            yield engine
        finally:
            engine.close()


def _verdict(engine: Engine, model: models.Model) -> Verdict:
    named = re.fullmatch(r"(\d+)_(\w+)", model.stem)
    if named is None:
        raise GateError(f"{model.path}: the name of an invariant begins with its number, such as 01_{model.stem}.sql")
    rows = engine.rows(f"select * from ({model.sql}) limit {SHOWN_ROWS}")
    return Verdict(int(named[1]), named[2], model.title, tuple(rows))


def _shown(rows: tuple[dict[str, Any], ...]) -> str:
    return json.dumps(rows, default=str, ensure_ascii=False)
