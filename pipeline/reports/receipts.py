"""Receipts and summaries: what every stage took in and gave out, checked against its schema before it is written."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema

from pipeline.disk import replace_file
from pipeline.errors import GateError

SCHEMAS = Path(__file__).parent / "schemas"
NO_COUNTS = {"in": 0, "out": 0, "skipped": 0, "deduped": 0, "quarantined": 0, "capped": 0, "by_category": {}, "by_reason": {}}


@dataclass
class Receipt:
    """What one stage did (StageReceipt v1).

    worked: how long it had its turn; others may have had theirs between its start and its end
    """

    run_id: str
    stage: str
    started_at: datetime
    git_sha: str | None
    ended_at: datetime | None = None
    worked: timedelta = timedelta()
    models: list[dict[str, Any]] = field(default_factory=list)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    record_counts: dict[str, Any] = field(default_factory=lambda: dict(NO_COUNTS))
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    input_hash: str | None = None
    output_hash: str | None = None
    status: str = "not_run"

    @property
    def duration_ms(self) -> int:
        return max(0, self.worked // timedelta(milliseconds=1))

    def as_json(self) -> dict[str, Any]:
        """Returns the receipt as its schema wants it."""
        ended = self.ended_at or self.started_at
        return validated(
            "stage_receipt.v1",
            {
                "schema_version": 1,
                "run_id": self.run_id,
                "stage": self.stage,
                "started_at": iso(self.started_at),
                "ended_at": iso(ended),
                "duration_ms": self.duration_ms,
                "git_sha": self.git_sha,
                "models": self.models,
                "inputs": self.inputs,
                "outputs": self.outputs,
                "record_counts": self.record_counts,
                "validation": {"passed": not self.errors, "errors": self.errors, "warnings": self.warnings},
                "input_hash": self.input_hash,
                "output_hash": self.output_hash,
                "status": self.status,
            },
        )


def summary(
    run_id: str, started_at: datetime, receipts: list[Receipt], ended_at: datetime, run_hash: str | None, passed: bool
) -> dict[str, Any]:
    """Returns the RunSummary of a run."""
    held = {r.stage: r.record_counts for r in receipts}
    exports = {name: held[f"export-{name}"] for name in ("rag", "sft", "preference")}
    return validated(
        "run_summary.v1",
        {
            "schema_version": 1,
            "run_id": run_id,
            "started_at": iso(started_at),
            "ended_at": iso(ended_at),
            "stages": [
                {
                    "stage": r.stage,
                    "status": r.status,
                    "duration_ms": r.duration_ms,
                    "record_counts": r.record_counts,
                }
                for r in receipts
            ],
            "datasets": {name: counts["out"] for name, counts in exports.items()},
            "total_quarantined": sum(counts["quarantined"] for counts in exports.values()),
            "overall_passed": passed,
            "run_hash": run_hash,
        },
    )


def warnings_of(receipts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the warnings of some receipts, each text once, after the names of the stages that gave it."""
    stages: dict[str, list[str]] = {}
    for receipt in receipts:
        for text in receipt["validation"]["warnings"]:
            stages.setdefault(text, []).append(receipt["stage"])
    return [f"{', '.join(names)}: {text}" for text, names in stages.items()]


def validated(schema: str, document: dict[str, Any]) -> dict[str, Any]:
    """Returns the document. Raises GateError where it breaks its schema."""
    try:
        validator(schema)(document)
    except fastjsonschema.JsonSchemaValueException as error:
        raise GateError(f"a {schema} does not fit its schema: {error.message}") from error
    return document


@cache
def validator(schema: str) -> Callable[[Mapping[str, Any]], Any]:
    """Returns what raises JsonSchemaValueException for a document that does not fit a schema of this release."""
    return compiled((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8"))


@cache  # compiling one takes a tenth of a second
def compiled(schema: str) -> Callable[[Mapping[str, Any]], Any]:
    """Returns the same for the text of any schema."""
    found: Callable[[Mapping[str, Any]], Any] = fastjsonschema.compile(json.loads(schema))
    return found


def write_report(folder: Path, name: str, document: Mapping[str, Any]) -> None:
    """Writes one JSON report."""
    replace_file(folder / name, json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n")


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
