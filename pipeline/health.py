"""Is everything fine? One screen for an operator."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.reader import Warehouse


@dataclass
class Health:
    """facts: what is; attention: what should be looked at; broken: whether a gate or check failed last."""

    facts: dict[str, str] = field(default_factory=dict)
    attention: list[str] = field(default_factory=list)
    broken: bool = False
    next_step: str = "distill run-all"

    def as_json(self) -> dict[str, Any]:
        return {"ok": not self.broken, "facts": self.facts, "attention": self.attention, "next": self.next_step}


def examine(path: Path) -> Health:
    """Returns how the warehouse is doing. Raises WarehouseError where there is none."""
    warehouse = Warehouse(path)
    newest = warehouse.snapshot()
    found = Health()
    age = datetime.now(UTC) - newest.published_at
    found.facts = {
        "newest snapshot": f"{newest.snapshot}, run {newest.run_id}, published {newest.published_at:%Y-%m-%d %H:%M:%S} UTC",
        "age": f"{age.total_seconds() / 3600:.1f} hours",
        **{f"{name} rows": str(newest.tables[f"exports.{name}"].rows) for name in ("rag", "sft", "preference")},
        "in quarantine": str(newest.tables["exports.quarantine"].rows),
    }
    last = warehouse.last_run()
    if last is not None and not last["overall_passed"]:
        found.broken = True
        found.attention.append(
            f"the last run, {last['run_id']}, failed and was not published: distill receipts --run-id {last['run_id']}"
        )
        found.next_step = f"distill receipts --run-id {last['run_id']}"
    for receipt in warehouse.receipts(newest.made_by):
        found.attention += [f"{receipt['stage']}: {text}" for text in receipt["validation"]["warnings"]]
    return found
