"""A case: one finding in one file, with function, line and numbers settled, able to fill templates."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from random import Random

from tools.sample.corpus import Finding, SourceFile, findings_of, phrases

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Case:
    """All records of a task share its cases, so that reviews, patches and facts speak of the same place."""

    file: SourceFile
    finding: Finding
    values: dict[str, str]

    def say(self, template: str, rng: Random) -> str:
        """The template with every known slot filled; braces that name no slot are code and stay."""
        return _SLOT.sub(lambda match: self._value(match[1], match[0], rng), template)

    def pick(self, section: str, rng: Random) -> str:
        """A filled template of a section of the phrase book."""
        return self.say(rng.choice(phrases(section)), rng)

    def has(self, field: str) -> bool:
        return field in self.finding.fields

    def _value(self, slot: str, fallback: str, rng: Random) -> str:
        if slot in self.values:
            return self.values[slot]
        if slot.endswith("_l"):
            return lower_first(self._value(slot[:-2], fallback, rng))
        if slot == "ok_s":
            text = self._value("ok", fallback, rng)
            return f"{text[0].upper()}{text[1:]}."
        if slot == "count":
            return rng.choice(phrases("count"))
        if slot in self.finding.fields:
            return self.say(rng.choice(self.finding.fields[slot]), rng)
        return fallback


def lower_first(text: str) -> str:
    """The text as it reads after a colon; `I` and words in capitals keep their case."""
    keeps_case = text.startswith("I ") or (len(text) > 1 and text[1].isupper())
    return text if keeps_case else text[:1].lower() + text[1:]


def open_cases(file: SourceFile, rng: Random, sprint: int) -> tuple[Case, ...]:
    """One to three different cases about a file."""
    findings = list(findings_of(file))
    chosen = rng.sample(findings, k=min(len(findings), rng.choice((2, 2, 3, 3))))
    return tuple(Case(file, finding, _settle(file, rng, sprint)) for finding in chosen)


def _settle(file: SourceFile, rng: Random, sprint: int) -> dict[str, str]:
    fn, other = _two_symbols(file, rng)
    line = rng.randint(12, 340)
    path = file.marked_path
    return {
        "fn": fn,
        "other": other,
        "path": path,
        "name": PurePosixPath(path).name,
        "role": file.role,
        "risk": file.risk,
        "line": str(line),
        "line2": str(line + rng.randint(3, 19)),
        "n": str(rng.randint(6, 64)),
        "n2": str(rng.randint(2, 9)),
        "sha": f"{rng.getrandbits(28):07x}",
        "sprint": str(sprint),
        "mode": rng.choice(phrases("modes")),
    }


def _two_symbols(file: SourceFile, rng: Random) -> tuple[str, str]:
    """Function and neighbour; in a migration that is table and index, in a test file test and fixture."""
    if file.kind == "sql":
        return file.symbols[0], file.symbols[1]
    if file.kind == "testpy":
        return rng.choice(file.symbols[:2]), file.symbols[2]
    fn, other = rng.sample(file.symbols, k=2)
    return fn, other
