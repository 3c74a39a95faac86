"""Is everything fine? One screen for an operator."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import advice, remembered, search
from pipeline.disk import Stamps
from pipeline.errors import DamageError
from pipeline.export import files, page_folder
from pipeline.reader import Warehouse
from pipeline.reports.receipts import warnings_of
from pipeline.reports.summary import drifted, first_of
from pipeline.settings import opened_gates
from pipeline.store import foreign, owner, snapshots
from pipeline.store.snapshots import Snapshot

# An audit is worth repeating after so many published runs.
RUNS_BETWEEN_AUDITS = 20
# So many files are named that are not as they should be.
SHOWN = 5


@dataclass
class Health:
    """facts: what is; attention: what should be looked at; broken: whether what is published, or the last run, is not good."""

    facts: dict[str, str] = field(default_factory=dict)
    attention: list[str] = field(default_factory=list)
    broken: bool = False
    gates: dict[str, Any] = field(default_factory=dict)
    gates_off: list[str] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)
    next_step: str = field(default_factory=lambda: advice.command("run-all"))

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": not self.broken,
            "facts": self.facts,
            "attention": self.attention,
            "gates": self.gates,
            "gates_off": self.gates_off,
            "drift": self.drift,
            "next": self.next_step,
        }


def examine(path: Path, exports: Path) -> Health:
    """Returns how the warehouse and its files are doing. Raises WarehouseError where there is no warehouse."""
    with advice.at(warehouse=path, exports=exports):
        return _examined(Warehouse(path), exports)


def _examined(warehouse: Warehouse, exports: Path) -> Health:
    published = warehouse.snapshots()
    newest = warehouse.snapshot()
    good = [snapshot for snapshot in published if snapshot.is_good and not snapshot.vacuumed]
    found = Health(_facts(newest, good))
    found.attention += warnings_of(warehouse.receipts(newest.made_by))
    _look_at_gates(found, newest)
    found.drift = warehouse.drift(newest.made_by)
    found.attention += first_of(drifted(found.drift))
    if (trouble := search.trouble(warehouse, newest)) is not None:
        found.attention.append(trouble)
        found.next_step = advice.command("index")
    if owner.is_foreign(exports, warehouse.store):
        found.broken = True
        found.next_step = advice.run_into(advice.free(exports))
        found.attention.insert(
            0, f"{exports}: belongs to another warehouse; the next command gives this one a folder of its own"
        )
    else:
        _look_at_files(found, exports, newest, Stamps(warehouse.store.root / files.STAMPS))
    _look_at_audits(found, published, good)
    _look_at_tables(found, warehouse, published)
    last = warehouse.last_run()
    if last is not None and not last["overall_passed"]:
        found.broken = True
        found.next_step = advice.command("receipts", "--run-id", last["run_id"])
        found.attention.insert(0, f"the last run, {last['run_id']}, failed and was not published; `{found.next_step}` says why")
    return found


def _facts(newest: Snapshot, good: list[Snapshot]) -> dict[str, str]:
    hours = (datetime.now(UTC) - newest.published_at).total_seconds() / 3600
    age = f"{hours:.1f} hours ago" if hours >= 0 else "by a clock that was ahead of this one"
    verdict = {None: "not audited", True: "audit passed", False: "audit FAILED"}[newest.audit_passed]
    restored = f", which restored run {newest.restored_run_id}" if newest.restored_run_id is not None else ""
    names = f", release {', '.join(newest.releases)}" if newest.releases else ""
    return {
        "newest snapshot": f"{newest.snapshot}, {newest.kind} {newest.run_id}{restored}{names}; {verdict}",
        "published": f"{newest.published_at:%Y-%m-%d %H:%M:%S} UTC, {age}",
        "last good": f"{good[-1].snapshot}, {good[-1].kind} {good[-1].run_id}" if good else "none",
        **{f"{name} rows": f"{newest.tables[f'exports.{name}'].rows:,}" for name in ("rag", "sft", "preference")},
        "playbooks": f"{newest.tables['exports.playbooks'].rows:,}" if "exports.playbooks" in newest.tables else "none yet",
        "in quarantine": f"{newest.tables['exports.quarantine'].rows:,}",
    }


def _look_at_gates(found: Health, newest: Snapshot) -> None:
    found.gates = remembered.gates_in(newest.state)
    found.gates_off = opened_gates(found.gates)
    found.facts["gates off"] = "; ".join(found.gates_off) or "none"


def _look_at_files(found: Health, exports: Path, newest: Snapshot, stamps: Stamps) -> None:
    odd = []
    for path, file in sorted(newest.files.items()):
        if path == page_folder.MANIFEST:
            odd += [] if page_folder.is_in_place(exports, file, stamps) else page_folder.odd(exports, file)
        elif not files.is_in_place(exports, file, stamps):
            odd.append(path)
    if odd:
        found.broken = True
        found.next_step = advice.command("restore", "--to", "latest")
        more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
        found.attention.insert(
            0, f"{exports}: {', '.join(odd[:SHOWN])}{more} not as published; `{found.next_step}` puts everything back"
        )


def _look_at_tables(found: Health, warehouse: Warehouse, published: list[Snapshot]) -> None:
    """Holds what tables hold against what was published, at the cost of a look at each file where none of them changed."""
    found.attention += foreign.findings(warehouse.store, published[-1])
    stamps = Stamps(warehouse.store.root / snapshots.STAMPS)
    try:
        with warehouse.opened() as engine:
            snapshots.verify_contents(warehouse.store, engine, published[-1], stamps)
    except DamageError as error:
        found.broken = True
        found.attention.insert(0, str(error))
        left = [snapshot for snapshot in published[:-1] if not snapshot.vacuumed]
        found.next_step = "distill restore --to '1 run ago'" if left else "distill run-all --warehouse NEW"


def _look_at_audits(found: Health, published: list[Snapshot], good: list[Snapshot]) -> None:
    newest = published[-1]
    if newest.audit_passed is False:
        found.broken = True
        back = advice.command("restore", "--to", "last-good", "--dry-run")
        found.next_step = back if good else advice.command("audit-full")
        found.attention.insert(0, f"the audit of the newest snapshot failed: reports/audit-full.md; `{found.next_step}`")
        return
    since = 0
    for snapshot in reversed(published):
        if snapshot.audit_passed is not None:
            break
        since += 1
    if since > RUNS_BETWEEN_AUDITS:
        found.attention.append(f"{since} runs were published since the last audit; `{advice.command('audit-full')}`")
