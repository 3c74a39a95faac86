"""Small files put together: rows, hashes, exports and what the next run has to do stay as they were."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pipeline.errors import DamageError
from pipeline.models.tables import is_chronicle
from pipeline.query.health import examine
from pipeline.store.delta import DeltaStore
from pipeline.upkeep import compaction
from pipeline.upkeep.restoring import restore
from pipeline.upkeep.vacuuming import vacuum
from tests.conftest import Silent, Workspace, statuses
from tests.support.rows import review
from tests.support.states import State, state_of

STREAM = "observer_reviews.jsonl"
MANY = 3
RUNS = 5


def rows(number: int) -> list[dict[str, object]]:
    """Rows of which some change old ones' exports."""
    verdict = ("accept", "cycle", "reject")[number % 3]
    return [review(f"t{number}", "accept", f"Verify {number}", number), review("t0", verdict, f"late {number}", number)]


def small_files(workspace: Workspace, table: str) -> int:
    return len(workspace.warehouse.store.read(table).files)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MANY", MANY)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[State]]]:
    """A warehouse after some runs, and the state that each published."""
    workspace, states = Workspace(tmp_path_factory.mktemp("grown")), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "MANY", MANY)
        for number in range(RUNS):
            workspace.write(STREAM, rows(number))
            workspace.passed()
            states.append(state_of(workspace))
    yield workspace.root, states


@pytest.fixture
def grown(published: tuple[Path, list[State]], tmp_path: Path) -> Workspace:
    return Workspace(published[0]).copy(tmp_path / "grown")


def test_no_table_keeps_many_small_files(grown: Workspace) -> None:
    for _ in range(MANY):
        grown.passed()
    names = set(grown.warehouse.store.tables) - {"ops.snapshots"}
    assert {name for name in names if small_files(grown, name) >= MANY} == set()
    # The row that publishes comes after.
    assert small_files(grown, "ops.snapshots") <= MANY


def test_it_comes_out_as_if_all_was_made_at_once(grown: Workspace, second: Workspace) -> None:
    for number in range(RUNS):
        second.write(STREAM, rows(number))
    second.passed()
    assert (grown.hashes(), grown.files()) == (second.hashes(), second.files())
    assert not examine(grown.settings.warehouse, grown.settings.exports).broken


def test_the_next_run_reads_only_what_is_new(grown: Workspace) -> None:
    """All recorded versions are those that came out of it."""
    assert set(statuses(grown.passed()).values()) == {"unchanged"}
    appended = ("raw.lines", "evidence.records", "scored.runs", "exports.texts")
    while max(small_files(grown, name) for name in appended) >= MANY - 1:
        grown.write(STREAM, [review(f"n{small_files(grown, 'raw.lines')}", "accept", "more", 7)])
        grown.passed()
    before = {name: set(grown.warehouse.store.read(name).files) for name in appended}
    grown.write(STREAM, [review("new", "accept", "new", 59)])
    grown.passed()
    for name in appended:
        assert before[name] < set(grown.warehouse.store.read(name).files), name


def test_every_state_comes_back(grown: Workspace, published: tuple[Path, list[State]]) -> None:
    for state in published[1]:
        assert state_of(grown, state.run_id).rows == state.rows
    newest = grown.hashes()
    for state in (*published[1], published[1][1]):
        restore(grown.settings, state.run_id, Silent())
        assert state_of(grown).same(state)
    grown.passed()
    assert grown.hashes() == newest


def test_commits_still_say_which_models_made_the_rows(grown: Workspace) -> None:
    store = grown.warehouse.store
    compacted = {name for name in store.tables if DeltaTable(str(store.path(name))).history(1)[0].get("compacted")}
    assert {"scored.runs", "exports.texts"} & compacted
    for table in grown.warehouse.tables():
        if table.name in compacted and table.name.startswith(("evidence.", "scored.", "exports.")):
            assert "=" in store.said(table.name, table.version)["models"], table.name


def test_a_vacuum_takes_the_small_files(grown: Workspace, published: tuple[Path, list[State]]) -> None:
    assert vacuum(grown.settings, 1, 0, Silent()).files > 0
    assert state_of(grown).same(published[1][-1])
    assert set(statuses(grown.passed()).values()) == {"unchanged"}


def test_rows_that_come_out_as_others_are_not_published(grown: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = grown.versions(), DeltaStore.compact

    def lossy(store: DeltaStore, table: str, metadata: dict[str, str]) -> None:
        real(store, table, metadata)
        if not is_chronicle(table):
            store.delete(table, "true", metadata)

    monkeypatch.setattr(DeltaStore, "compact", lossy)
    monkeypatch.setattr(compaction, "MANY", 1)
    grown.write(STREAM, [review("new", "accept", "new")])
    with pytest.raises(DamageError, match="came out as others when small files were put together"):
        grown.run()
    monkeypatch.undo()
    assert grown.versions() == before
    grown.passed()
    assert not examine(grown.settings.warehouse, grown.settings.exports).broken
    assert len(grown.rows("evidence.records")) == 2 * RUNS + 1


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"PAR1 and no more")], ids=["lost", "garbled"])
def test_damaged_notes_stop_no_run(grown: Workspace, harm: Callable[[Path], object]) -> None:
    for _ in range(MANY - small_files(grown, "ops.receipts")):
        grown.passed()
    harm(Path(grown.warehouse.store.read("ops.receipts").files[0]))
    for number in range(2):
        grown.write(STREAM, [review(f"new{number}", "accept", "new")])
        grown.passed()
    assert small_files(grown, "ops.receipts") == MANY + 2 > MANY >= small_files(grown, "ops.runs")


def test_what_a_stage_has_still_to_read_is_left_alone(grown: Workspace) -> None:
    """Files that are put together would look to it as if everything was new."""
    for number in range(MANY + 1):
        grown.write(STREAM, [review(f"landed{number}", "accept", "x")])
        grown.passed("land")
    version = grown.versions()["raw.lines"]
    assert small_files(grown, "raw.lines") > MANY
    grown.passed()
    assert grown.versions()["raw.lines"] > version and small_files(grown, "raw.lines") < MANY
    assert len(grown.rows("evidence.records")) == 2 * RUNS + MANY + 1
