"""Restore from and to damaged states: a whole one is reached, a damaged one is refused by file name, and nothing moves."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import Workspace
from tests.faults.record import Faults
from tests.support.forked import Distill, each, passed, refused, run_in
from tests.support.killing import published_files
from tests.support.states import History, new_files, state_of


def delete(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(40, min(160, len(content) // 2)):
        content[place] ^= 0x10
    path.write_bytes(bytes(content))


DAMAGE: dict[str, Callable[[Path], None]] = {"deleted": delete, "truncated": truncate, "flipped": flip}
CASES = [(table, name) for table in ("raw.lines",) for name in DAMAGE]
CASES += [("evidence.records", "deleted"), ("exports.rag", "flipped"), ("exports.quarantine", "truncated")]


def test_a_damaged_newest_state(tmp_path: Path, history: History, faults: Faults) -> None:
    """The third run's own file: the second comes back, the third is refused, and the third again once the file is back."""

    def work(distill: Distill, case: tuple[str, str]) -> None:
        table, damage = case
        workspace = history.copy(tmp_path / "-".join(case))
        (path, *_) = new_files(workspace, table, history.run_id(3), history.run_id(2))
        whole = path.read_bytes()
        DAMAGE[damage](path)
        before = state_of(workspace, "4 runs ago"), published_files(workspace)
        for _ in range(2):
            refused(run_in(distill, workspace, "restore", "--to", history.run_id(3)), 3, path.name)
            assert (state_of(workspace, "4 runs ago"), published_files(workspace)) == before
            assert len(workspace.warehouse.snapshots()) == 5
        passed(run_in(distill, workspace, "restore", "--to", history.run_id(2)))
        assert state_of(workspace).same(history.states[1])
        path.write_bytes(whole)
        passed(run_in(distill, workspace, "restore", "--to", history.run_id(3)))
        assert state_of(workspace).same(history.states[2])
        faults.injected("Parquet file damaged")

    each(work, CASES)


CHANGED = {
    "raw.lines": ("line", "generation"),
    "raw.files": ("bytes",),
    "evidence.records": ("verdict",),
    "scored.runs": ("category",),
    "exports.rag": ("content",),
    "exports.quarantine": ("reason",),
    "exports.texts": ("content_is_blank",),
}


def rewrite(path: Path, column: str) -> None:
    """Writes a Parquet file again with one other value, so that it reads without complaint."""
    table = pq.ParquetFile(path).read()
    values = table[column].to_pylist()
    row = next(n for n, value in enumerate(values) if value is not None)
    value = values[row]
    changed = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else value + "x"
    values[row] = {"acceptedx": "rejected", "objectx": "not_an_object"}.get(str(changed), changed)
    place = table.schema.get_field_index(column)
    pq.write_table(table.set_column(place, table.schema.field(place), pa.array(values, table[column].type)), path)


def test_a_value_that_changed(tmp_path: Path, history: History, faults: Faults) -> None:
    """It reads as well as ever: only the hashes tell, and they tell which file it is; also of the state that is there."""

    def work(distill: Distill, case: tuple[str, str]) -> None:
        table, column = case
        workspace = history.copy(tmp_path / "-".join(case))
        (path, *_) = new_files(workspace, table, history.run_id(2), history.run_id(1))
        rewrite(path, column)
        before = state_of(workspace)
        refused(run_in(distill, workspace, "restore", "--to", history.run_id(2)), 3, path.name)
        assert state_of(workspace) == before
        passed(run_in(distill, workspace, "restore", "--to", history.run_id(1)))
        assert state_of(workspace).same(history.states[0])
        faults.injected("Parquet value changed")

    each(work, [(table, column) for table, columns in CHANGED.items() for column in columns])


def test_no_state_is_left(tmp_path: Path, history: History, faults: Faults) -> None:
    """Every state is damaged: all restores are refused, and readers see what they saw."""
    workspace = history.copy(tmp_path)
    for path in (workspace.settings.warehouse / "exports/rag").glob("*.parquet"):
        path.unlink()
    files = published_files(workspace)

    def work(distill: Distill, state: Workspace) -> None:
        for number in (5, 2, 1):
            refused(run_in(distill, state, "restore", "--to", history.run_id(number)), 3, ".parquet")
            assert published_files(state) == files
        faults.injected("Parquet file damaged")

    each(work, [workspace])
