"""What another tool writes into a table is left out by readers, and named and taken back by the next run."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from pipeline.audit import audit, checks
from pipeline.query.health import examine
from pipeline.store import delta, upgrading
from tests.conftest import Silent, Workspace
from tests.store.test_proof import finding

WRITTEN = (
    *("raw.lines", "raw.files", "evidence.records", "scored.runs", "exports.rag", "exports.sft", "exports.quarantine"),
    *("exports.texts", "exports.playbooks", "ops.receipts", "ops.runs", "ops.snapshots", "ops.audit_baselines"),
)


@pytest.fixture(scope="module", autouse=True)
def fixture_not_run() -> Iterator[None]:
    """The invariants on the fixture have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "acceptance", SimpleNamespace(examine=lambda sql: []))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("made"))
    workspace.write("audits.jsonl", [finding("good", "low"), finding("BAD", "high")])
    workspace.passed()
    workspace.write("audits.jsonl", [finding("more", "low")])
    workspace.passed()
    audit(workspace.settings, Silent())
    return workspace


@pytest.fixture
def published(made: Workspace, tmp_path: Path) -> Workspace:
    return made.copy(tmp_path)


def opened(workspace: Workspace, table: str) -> DeltaTable:
    return DeltaTable(str(workspace.settings.warehouse / table.replace(".", "/")))


def rows(workspace: Workspace, table: str) -> pa.Table:
    return opened(workspace, table).to_pyarrow_dataset().to_table()


def appended(workspace: Workspace, table: str) -> None:
    write_deltalake(opened(workspace, table), rows(workspace, table).slice(0, 1), mode="append")


def overwritten(workspace: Workspace, table: str) -> None:
    write_deltalake(opened(workspace, table), rows(workspace, table).slice(0, 1), mode="overwrite")


def deleted(workspace: Workspace, table: str) -> None:
    opened(workspace, table).delete()


def widened(workspace: Workspace, table: str) -> None:
    more = rows(workspace, table).slice(0, 1)
    more = more.append_column("more", pa.array(["x"]))
    write_deltalake(opened(workspace, table), more, mode="append", schema_mode="merge")


def put_back(workspace: Workspace, table: str) -> None:
    opened(workspace, table).restore(opened(workspace, table).version() - 1)


def vacuumed(workspace: Workspace, table: str) -> None:
    keep = [opened(workspace, table).version()]
    opened(workspace, table).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, keep_versions=keep)


def loosened(workspace: Workspace, table: str) -> None:
    settings = opened(workspace, table).metadata().configuration
    for name in settings:
        if name.startswith("delta.constraints."):
            opened(workspace, table).alter.drop_constraint(name.removeprefix("delta.constraints."))


WAYS: dict[str, Callable[[Workspace, str], None]] = {
    way.__name__: way for way in (appended, overwritten, deleted, widened, put_back, vacuumed)
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_named_and_taken_back(published: Workspace, way: str) -> None:
    hashes, files, newest = published.hashes(), published.files(), published.warehouse.snapshot().snapshot
    lasting = {name: rows(published, name).num_rows for name in WRITTEN}
    before = {name: opened(published, name).version() for name in WRITTEN}
    for name in WRITTEN:
        WAYS[way](published, name)
    # Where there is nothing to remove, a vacuum leaves no trace.
    touched = [name for name in WRITTEN if opened(published, name).version() != before[name]]
    assert touched == list(WRITTEN) or (way == "vacuumed" and "exports.rag" in touched)
    assert published.warehouse.snapshot().snapshot == newest
    health = examine(published.settings.warehouse, published.settings.exports)
    assert all(any(f"{name}: another tool" in said for said in health.attention) for name in touched)
    outcome = published.passed()
    warnings = [said for receipt in outcome.receipts for said in receipt["validation"]["warnings"]]
    assert all(any(f"{name}: another tool" in said for said in warnings) for name in touched)
    assert (published.hashes(), published.files()) == (hashes, files)
    assert published.warehouse.snapshot().snapshot == newest + 1
    added = {"ops.receipts": 7, "ops.runs": 1, "ops.snapshots": 1}
    for name in WRITTEN:
        assert rows(published, name).num_rows == lasting[name] + added.get(name, 0), name
    again = published.passed()
    assert not [said for receipt in again.receipts for said in receipt["validation"]["warnings"] if "another tool" in said]
    audit(published.settings, Silent())


def test_a_ledger_that_says_more_was_read_than_was(published: Workspace) -> None:
    path = published.write("scrum_reviews.jsonl", [{"created_at": "2026-01-02T03:04:05Z", "file": "a", "review": "lost"}])
    (row,) = rows(published, "raw.files").slice(0, 1).to_pylist()
    row |= {"source": "scrum_reviews", "source_file": path.name, "bytes": path.stat().st_size}
    write_deltalake(
        opened(published, "raw.files"), pa.Table.from_pylist([row], schema=rows(published, "raw.files").schema), mode="append"
    )
    published.passed()
    assert [line["source_file"] for line in published.rows("raw.lines") if "lost" in line["line"]] == [path.name]


def test_conditions_that_were_dropped_are_there_again(published: Workspace) -> None:
    names = ("exports.rag", "exports.sft", "raw.lines")
    before = [opened(published, name).metadata().configuration for name in names]
    for name in names:
        loosened(published, name)
    published.passed()
    assert [opened(published, name).metadata().configuration for name in names] == before


def test_a_snapshot_that_another_tool_adds_is_nobodys_newest(published: Workspace) -> None:
    newest = published.warehouse.snapshot()
    (row,) = [row for row in rows(published, "ops.snapshots").to_pylist() if row["snapshot"] == newest.snapshot]
    forged = pa.Table.from_pylist([row | {"snapshot": 99, "run_id": "forged"}], schema=rows(published, "ops.snapshots").schema)
    write_deltalake(opened(published, "ops.snapshots"), forged, mode="append")
    assert published.warehouse.snapshot().run_id == newest.run_id
    published.passed()
    assert published.warehouse.snapshot().snapshot == newest.snapshot + 1


def test_what_is_written_during_a_run_is_not_published(published: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    work, hashes = delta.DeltaStore.commit, published.hashes()

    def disturbed(store: delta.DeltaStore, table: str, *given: object, **options: object) -> int:
        if table == "scored.runs":
            appended(published, "raw.files")
        return work(store, table, *given, **options)  # type: ignore[arg-type]

    published.write("audits.jsonl", [finding("late", "low")])
    with monkeypatch.context() as patch:
        patch.setattr(delta.DeltaStore, "commit", disturbed)
        outcome = published.run()
    # Nothing of ours was written to that table afterwards: the next run names it and takes it back.
    published.passed()
    assert len(rows(published, "raw.files")) == len(published.rows("raw.files"))
    assert outcome is not None and published.hashes() != hashes


def test_a_warehouse_of_a_release_that_did_not_mark_its_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    workspace.write("audits.jsonl", [finding("good", "low"), finding("BAD", "high")])

    def unmarked(metadata: dict[str, str] | None = None) -> CommitProperties:
        return CommitProperties(custom_metadata=dict(metadata or {}))

    with monkeypatch.context() as patch:
        for module in (delta, upgrading):
            patch.setattr(module, "marked", unmarked)
        workspace.passed()
        workspace.write("audits.jsonl", [finding("more", "low"), "{"])
        assert workspace.run(strict=True).failure is not None
    health = examine(workspace.settings.warehouse, workspace.settings.exports)
    assert not [said for said in health.attention if "another tool" in said]
    outcome = workspace.passed()
    assert "another tool" not in str(outcome.receipts)
    appended(workspace, "raw.files")
    assert "raw.files: another tool" in str(workspace.passed().receipts)


class Ahead(datetime):
    """A clock that is a day ahead."""

    @classmethod
    def now(cls, tz: object = None) -> "Ahead":
        return super().now(UTC) + timedelta(days=1)  # type: ignore[return-value]


def test_newest_is_by_commit_never_by_clock(published: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        for module in ("audit", "session", "runner"):
            patch.setattr(f"pipeline.{module}.datetime", Ahead)
        audit(published.settings, Silent())
        published.write("audits.jsonl", ["{"])
        assert published.run(strict=True).failure is not None
    last = published.warehouse.last_run()
    assert last is not None and not last["overall_passed"]
    published.passed()
    last = published.warehouse.last_run()
    assert last is not None and last["overall_passed"]
    (published.settings.exports / "rag/playbooks.jsonl").write_text("{}\n")
    assert not audit(published.settings, Silent()).passed
    assert published.warehouse.snapshot().audit_passed is False
    found = [row["audit_id"] for row in published.rows("ops.audit_baselines")]
    assert len(found) == 3
    third = audit(published.settings, Silent())
    assert not [finding for result in third.results if result.name == "receipts_complete" for finding in result.findings]
