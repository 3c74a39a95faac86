"""What an audit found: by check, and in all."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.audit.baseline import Metric


@dataclass(frozen=True)
class Result:
    """One check: what it found wrong, nothing where it holds; and what it could not look at."""

    number: int
    name: str
    findings: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        held = {"findings": list(self.findings), "warnings": list(self.warnings)}
        return {"number": self.number, "name": self.name} | held


@dataclass(frozen=True)
class Audit:
    """What an audit found in the newest snapshot."""

    audit_id: str
    audited_at: datetime
    snapshot: int
    run_id: str
    results: tuple[Result, ...]
    metrics: tuple[Metric, ...]

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)
