"""What a run reads of the published state is what was published, value by value, or the run stops and names the file."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from pipeline.disk import Stamps
from pipeline.errors import DamageError
from pipeline.query.health import examine
from pipeline.settings import Gates
from pipeline.store import contents, snapshots
from pipeline.store.snapshots import STAMPS
from tests.conftest import Workspace


def finding(name: str, severity: str) -> dict[str, object]:
    return {"ts": 1777777777, "topic": "t", "phase": 1, "evidence": name, "severity": severity, "run_id": name}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("made"))
    workspace.write("audits.jsonl", [finding("good", "low"), finding("BAD", "high"), finding("twice", "low")])
    workspace.passed()
    return workspace


@pytest.fixture
def published(made: Workspace, tmp_path: Path) -> Workspace:
    """A copy: its files were hashed where they are now, and look settled."""
    workspace = made.copy(tmp_path)
    with_old_times(workspace.settings.warehouse)
    workspace.passed()
    return workspace


def with_old_times(folder: Path) -> None:
    for path in folder.rglob("*.parquet"):
        os.utime(path, ns=(path.stat().st_mtime_ns - 10**9,) * 2)


def a_file(workspace: Workspace, table: str) -> Path:
    uris = DeltaTable(str(workspace.settings.warehouse / table.replace(".", "/"))).file_uris()
    return Path(min(uris))


def changed(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    """Rewrites a file as another tool would, and puts its time back."""

    def harm(path: Path) -> None:
        times = path.stat().st_atime_ns, path.stat().st_mtime_ns
        pq.write_table(change(pq.read_table(path)), path)
        os.utime(path, ns=times)

    return harm


def flipped(column: str, was: str, now: str) -> Callable[[Path], None]:
    def change(rows: pa.Table) -> pa.Table:
        number = rows.schema.get_field_index(column)
        values = [value.replace(was, now) if value else value for value in rows.column(number).to_pylist()]
        assert values != rows.column(number).to_pylist()
        return rows.set_column(number, rows.schema.field(number), pa.array(values, rows.schema.field(number).type))

    return changed(change)


HARMS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a category": ("scored.runs", flipped("category", "rejected", "accepted")),
    "a severity": ("evidence.records", flipped("severity", "high", "low")),
    "a text": ("evidence.records", flipped("content", "good", "evil")),
    "an exported text": ("exports.rag", flipped("content", "good", "evil")),
    "an exported category": ("exports.rag", flipped("source_category", "accepted", "needs_human_review")),
    "a response": ("exports.sft", flipped("response", "good", "evil")),
    "an id that gates go by": ("exports.texts", flipped("rag_id", "rag-", "gar-")),
    "a reason": ("exports.quarantine", flipped("reason", "unsafe", "safe")),
    "a line": ("raw.lines", flipped("line", "BAD", "bad")),
    "how far a file was read": ("raw.files", flipped("content_sha256", "a", "b")),
    "a row less": ("scored.runs", changed(lambda rows: rows.slice(1))),
    "a row twice": ("evidence.records", changed(lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]))),
    "one row in the place of another": (
        "scored.runs",
        changed(lambda rows: pa.concat_tables([rows.slice(1), rows.slice(rows.num_rows - 1)])),
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_changed_value_stops_the_run(published: Workspace, harm: str) -> None:
    table, harmed = HARMS[harm]
    path, files = a_file(published, table), published.files()
    harmed(path)
    published.write("audits.jsonl", [finding("more", "low")])
    for command in ("run-all", "export-sft"):
        with pytest.raises(DamageError, match="next: `distill ") as stopped:
            published.run(command, gates=Gates(include_review=True))
        assert path.name in str(stopped.value) and table in str(stopped.value)
    assert published.files() == files
    health = examine(published.settings.warehouse, published.settings.exports)
    assert health.broken and path.name in health.attention[0]


def test_a_file_of_an_earlier_version_in_the_place_of_the_newest(published: Workspace) -> None:
    before = a_file(published, "scored.runs")
    published.write("audits.jsonl", [finding(f"more {number}", "high") for number in range(3)])
    published.passed()
    opened = DeltaTable(str(published.settings.warehouse / "scored/runs"))
    (newest,) = {Path(uri) for uri in opened.file_uris()} - {before}
    shutil.copy(before, newest)
    with pytest.raises(DamageError, match=newest.name):
        published.run()


def test_a_log_that_names_another_file(published: Workspace) -> None:
    """The file itself is one that was published, and has as many rows; what the table holds is not."""
    (log,) = [
        path for path in (published.settings.warehouse / "scored/runs/_delta_log").glob("*.json") if "add" in path.read_text()
    ]
    path = a_file(published, "scored.runs")
    other = path.with_name("part-other.parquet")
    shutil.copy(path, other)
    flipped("category", "rejected", "accepted")(other)
    log.write_text(log.read_text().replace(path.name, other.name))
    with pytest.raises(DamageError, match=r"part-other\.parquet|scored"):
        published.run()


def test_a_file_that_looks_as_before_is_not_hashed_again(published: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    work = contents._hashed

    def counted(engine: object, table: object, files: list[str], stamps: Stamps) -> dict[str, tuple[int, int]]:
        hashed.extend(files)
        return work(engine, table, files, stamps)  # type: ignore[arg-type]

    monkeypatch.setattr(contents, "_hashed", counted)
    published.passed()
    assert hashed == []
    published.write("audits.jsonl", [finding("more", "low")])
    published.passed()
    published.passed()
    assert hashed == []
    cache = published.settings.warehouse / STAMPS
    for content in ("", "{", "[]", '{"scored.runs/x": 1}', cache.read_text().replace('"3:', '"4:')):
        cache.write_text(content)
        published.passed()
        assert hashed
        hashed.clear()
        published.passed()
        assert hashed == []


def test_the_third_layer_does_not_believe_scores(published: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the hashes a flipped score passes gates and conditions; what evidence says of the record stops it."""
    flipped("category", "rejected", "accepted")(a_file(published, "scored.runs"))
    monkeypatch.setattr(snapshots, "verify_contents", lambda *given: None)
    files = published.files()
    for command in ("run-all", "export-rag", "export-sft"):
        outcome = published.run(command, gates=Gates(include_review=True, include_partial=True))
        assert "lines_are_judged_again" in str(outcome.failure)
    assert published.files() == files


def test_a_changed_snapshot_stops_the_run(published: Workspace) -> None:
    """With it a gate would be off, or other hashes would be those that are published."""
    for uri in DeltaTable(str(published.settings.warehouse / "ops/snapshots")).file_uris():
        flipped("state", '"include_review": false', '"include_review": true')(Path(uri))
    with pytest.raises(DamageError, match=r"ops\.snapshots"):
        published.run()
