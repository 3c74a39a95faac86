"""What a trace says: steps with their checks, put together to chains."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

OK, MISMATCH, MISSING, NONE = "ok", "mismatch", "missing", "none"


def utc(moment: datetime) -> str:
    """Returns a time as the exported files write it."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


@dataclass(frozen=True)
class Check:
    """Something said in one place, and what was found where it comes from."""

    name: str
    said: str | None
    found: str | None

    @property
    def ok(self) -> bool:
        return self.said == self.found

    @staticmethod
    def of(name: str, said: Any, found: Any) -> "Check":
        """Returns a check of two values, compared as texts."""
        return Check(
            name,
            *(utc(value) if isinstance(value, datetime) else None if value is None else str(value) for value in (said, found)),
        )


@dataclass(frozen=True)
class Step:
    """One link of a chain.

    place:   the table with its Delta version, or `file:line`
    status:  ok, mismatch, missing, or none: nothing is there, and nothing has to be
    says:    what stands there, for people; what is wrong, where something is
    checks:  what was compared
    facts:   what stands there, for machines
    """

    name: str
    place: str
    status: str
    says: str
    checks: tuple[Check, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        checks = [asdict(check) | {"ok": check.ok} for check in self.checks]
        return {"step": self.name, "place": self.place, "status": self.status, "says": self.says} | {
            "checks": checks,
            "facts": self.facts,
        }


def checked(name: str, place: str, says: str, checks: list[Check], facts: dict[str, Any], hint: str = "") -> Step:
    """Returns a step that is ok if all its checks are; else it says which are not, and the hint."""
    if failed := [check for check in checks if not check.ok]:
        wrong = "; ".join(f"{check.name} is {check.said}, but {check.found} was found" for check in failed)
        return Step(name, place, MISMATCH, f"{wrong}{hint}", tuple(checks), facts)
    return Step(name, place, OK, says, tuple(checks), facts)


@dataclass(frozen=True)
class Outcome:
    """What became of a record on its way to an export: exported, quarantined or capped, and why."""

    export: str
    outcome: str
    side: str
    id: str | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Release:
    """A row that was exported from a line, and the snapshots that hold it, oldest first."""

    export: str
    id: str
    side: str
    sig_hash: str
    snapshots: tuple[int, ...]
    first_run_id: str
    last_run_id: str
    is_in_newest: bool


@dataclass(frozen=True)
class Chain:
    """From one record, or one line, down to the source. `became` is None where nobody asked."""

    name: str
    steps: tuple[Step, ...]
    became: tuple[Outcome, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        became = None if self.became is None else [asdict(outcome) for outcome in self.became]
        return {"name": self.name, "steps": [step.as_json() for step in self.steps], "became": became}


@dataclass(frozen=True)
class Trace:
    """Everything that was found for what was asked.

    kind:      row, playbook, record or line
    snapshot:  the number of the snapshot that it was read in, of the run `run_id`
    is_newest: whether that is the newest one
    row:       the exported row
    released:  for a line, everything that was ever exported from it
    """

    asked: str
    kind: str
    snapshot: int
    run_id: str
    is_newest: bool
    row: Step | None = None
    chains: tuple[Chain, ...] = ()
    released: tuple[Release, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> list[Step]:
        return [*([self.row] if self.row else []), *(step for chain in self.chains for step in chain.steps)]

    @property
    def holds(self) -> bool:
        """True where every step is there and every hash on the way was found again."""
        return not any(step.status in (MISMATCH, MISSING) for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {
            "asked": self.asked,
            "kind": self.kind,
            "holds": self.holds,
            "snapshot": self.snapshot,
            "run_id": self.run_id,
            "is_newest_snapshot": self.is_newest,
            "row": self.row.as_json() if self.row else None,
            "chains": [chain.as_json() for chain in self.chains],
            "released": None if self.released is None else [asdict(release) for release in self.released],
            "notes": list(self.notes),
        }
