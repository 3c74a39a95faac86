"""The faults that the suite injected, counted by the suite itself, and the page that tells of them."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs/faults.md"
README = ROOT / "README.md"
SENTENCE = re.compile(r"\*\*([\d,]+) faults\*\*")
INJECTED, NOT_HERE = "fault injected", "fault not possible here"

_WAYS = "truncated, emptied, zeroed, garbled, flipped, lost"

# Every kind of fault, in the order of the page: what is done, and what was seen to hold after each.
KINDS = {
    "run killed at a step": "SIGKILL at a durable step of a run: readers see the state before it or after it, whole",
    "recovery killed": "SIGKILL while a command takes back what a killed one left: the same",
    "restore killed at a step": "SIGKILL at a durable step of a restore: nothing is restored, or all of it",
    "replay killed at a step": "SIGKILL at a durable step of a replay: rows and lines agree after the next, and land once",
    "release killed at a step": "SIGKILL of a release-freeze around its commit: the name is free, or frozen to the same state",
    "run killed at a random time": "SIGKILL of runs at random times, one after the other: readers see a published state",
    "land killed at a random time": "the same with `land`: no line is lost or doubled",
    "restore killed at a random time": "the same with `restore`: nothing is restored, or all of it",
    "vacuum killed at a random time": "the same with `vacuum`: what is kept is whole",
    "two writers at once": "two of run, land, restore, vacuum, release-freeze: one is refused with exit 3, or comes after",
    "reader beside a writer": "queries while runs and restores are at work: a published state, whole",
    "disk full": "a file system of 3 MB, filled: exit 3 and where; nothing published",
    "file size limit": "a limit on the size of files (RLIMIT_FSIZE): the same",
    "no right to write": "folders without the right to write: exit 3 and which",
    "something in the way": "a file for a folder, or a folder for a file: it is named; the rest stays as it is",
    "source file damaged": f"{_WAYS}, packed badly: exit 3 and which file, or no matter; every landed line stays",
    "Parquet file damaged": f"{_WAYS}: exit 3 and which file; typing what the message says mends it",
    "Parquet value changed": "one value rewritten, so that the file reads well: a restore refuses it by name",
    "Delta log damaged": f"{_WAYS}: exit 3 and which file, or no matter; typing what the message says mends it",
    "Delta checkpoint damaged": "truncated, flipped, lost: the same",
    "export file damaged": f"{_WAYS}, a line added: the next run puts back every byte",
    "catalog damaged": "truncated, emptied, flipped, lost: the next run writes it anew",
    "state file damaged": "caches, drafts, the lock's file, reports: no matter, and nothing of it is published",
}
TITLE = """\
# Faults

Written by `make faults-report`, from what the suite in `tests/faults` injected into real warehouses. `make test-faults`
injects as many again, and fails where this page or the README says otherwise. A fault counts only once all of this was seen
after it: a message of a few lines that says what, where and what to do next; the exit code that is documented; every landed
line there, once; no line in `exports/` that a clean run over the same input does not write, to the byte; and the next run, or
the commands that the message names, leave what a run without the fault leaves. Most states that warehouses are held against
were themselves held against `tests/oracle`, which shares no code with the product.

| fault | injected | how, and what was seen after each |
|---|---:|---|
"""


@dataclass
class Faults:
    """Takes down what a test injected. A fault counts once everything that is to hold after it was seen to hold."""

    notes: list[tuple[str, object]]

    def injected(self, kind: str) -> None:
        assert kind in KINDS, kind
        self.notes.append((INJECTED, kind))

    def not_here(self, kind: str, amount: int, why: str) -> None:
        """Says that this machine allows no such faults."""
        assert kind in KINDS, kind
        self.notes.append((NOT_HERE, [kind, amount, why]))


@dataclass
class Tally:
    """What all tests took down. `missing` faults are those that this machine does not allow."""

    injected: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    reasons: set[str] = field(default_factory=set)

    def add(self, properties: list[Any]) -> None:
        for name, value in properties:
            if name == INJECTED:
                self.injected[value] += 1
            elif name == NOT_HERE:
                kind, amount, why = value
                self.missing[kind] += amount
                self.reasons.add(f"{kind}: {amount} not injected here: {why}")

    @property
    def all(self) -> Counter[str]:
        return self.injected + self.missing


def page(injected: Mapping[str, int]) -> str:
    """Returns the report."""
    rows = "".join(f"| {kind} | {injected[kind]:,} | {told} |\n" for kind, told in KINDS.items() if injected.get(kind))
    amount = sum(injected.values())
    return f"{TITLE}{rows}\n**{amount:,} faults injected; landed lines lost: 0; ungated lines in `exports/`: 0.**\n"


def total(text: str) -> int:
    """Returns how many faults a text with the README's sentence speaks of."""
    (found,) = SENTENCE.findall(text)
    return int(found.replace(",", ""))


def write(injected: Mapping[str, int]) -> None:
    """Writes the report, and its number into the README."""
    PAGE.write_text(page(injected), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    README.write_text(SENTENCE.sub(f"**{sum(injected.values()):,} faults**", text), encoding="utf-8")
