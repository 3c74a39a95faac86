"""The six gates, and what was found at each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import DistillError
from pipeline.run import Reporter

GIT, TESTS, VERSIONS, ACCEPTANCE, AUDIT, NAME = "git_clean", "tests", "versions", "acceptance", "audit_full", "name_free"
GATES = (GIT, TESTS, VERSIONS, ACCEPTANCE, AUDIT, NAME)


@dataclass
class Verdicts:
    """What each gate found wrong, nothing where it passed; a gate that was not looked at is not among them."""

    reporter: Reporter
    found: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def judge(self, gate: str, look: Callable[[], list[str]]) -> None:
        """Looks at a gate; what can't be looked at has failed. What it found before stays found."""
        self.reporter.stage(f"{GATES.index(gate) + 1} {gate}")
        try:
            now = tuple(look())
        except (DistillError, OSError) as error:
            now = (str(error),)
        self.found[gate] = tuple(dict.fromkeys((*self.found.get(gate, ()), *now)))

    def judge_if_all_passed(self, gate: str, look: Callable[[], list[str]]) -> None:
        """Looks at a gate that takes minutes, unless it is known already that nothing will be frozen."""
        if not self.failed:
            self.judge(gate, look)

    @property
    def failed(self) -> bool:
        return any(self.found.values())

    @property
    def passed(self) -> bool:
        return all(self.found.get(gate) == () for gate in GATES)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "number": number,
                "name": gate,
                "verdict": "not_run" if gate not in self.found else "failed" if self.found[gate] else "passed",
                "findings": list(self.found.get(gate, ())),
            }
            for number, gate in enumerate(GATES, 1)
        ]
