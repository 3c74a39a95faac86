"""Storage that fails: full, read-only, in the way, damaged. A clear word and exit 3, and what was published stays as it was."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.forked import Distill, Done, borrowed, each, passed, refused, run_in
from tests.test_hostile_input import audit, mortal

KIB = 1024


@pytest.fixture
def distill() -> Iterator[Distill]:
    with borrowed() as distill:
        yield distill


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """What two runs published."""
    workspace = Workspace(tmp_path_factory.mktemp("prepared"))
    with borrowed() as distill:
        workspace.write("audits.jsonl", [audit("low"), audit("high")])
        passed(run_in(distill, workspace, "run-all"))
        workspace.write("audits.jsonl", [audit("low", "second"), audit("high", "second")])
        passed(run_in(distill, workspace, "run-all"))
        return workspace


@pytest.fixture
def published(tmp_path: Path, prepared: Workspace) -> Workspace:
    return copied(prepared, tmp_path / "published")


def copied(workspace: Workspace, root: Path) -> Workspace:
    shutil.copytree(workspace.root, root)
    return Workspace(root)


def more(workspace: Workspace) -> Workspace:
    """Lines that came in after."""
    workspace.write("audits.jsonl", [audit(severity, f"more {n}") for n in range(20) for severity in ("low", "high")])
    return workspace


def state(distill: Distill, workspace: Workspace, environment: dict[str, str] | None = None) -> tuple[int, int]:
    """Returns how many records readers see, and in which snapshot."""
    query = "select (select count(*) from evidence.records) as records, max(snapshot) as snapshot from ops.snapshots"
    done = passed(run_in(distill, workspace, "sql", query, "--format", "json", environment=environment))
    (row,) = json.loads(done.out)
    return row["records"], row["snapshot"]


@contextmanager
def tiny_disk(folder: Path) -> Iterator[Path]:
    """Yields a disk of three megabytes."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("may not mount a tmpfs here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# What is on the disk, and how many KiB are left: full while landing, reporting, or when all but the catalog is written.
FULL = [("warehouse", 0), ("warehouse", 200), ("warehouse", 240), ("exports", 8), ("reports", 0)]


def test_a_full_disk(tmp_path: Path, prepared: Workspace) -> None:
    """A run on a disk with so much room says what it lacks and publishes nothing; then one with enough passes."""

    def work(distill: Distill, item: tuple[str, int]) -> None:
        what, kept = item
        workspace = more(copied(prepared, tmp_path / f"{what} {kept}"))
        with tiny_disk(tmp_path / f"disk {what} {kept}") as disk:
            _full_disk(workspace, distill, disk, what, kept)

    each(work, FULL)


def _full_disk(workspace: Workspace, distill: Distill, disk: Path, what: str, kept_kib: int) -> None:
    environment = {f"DISTILL_{what.upper()}": str(disk / what)}
    shutil.copytree(workspace.root / what, disk / what)
    exports = disk / "exports" if what == "exports" else workspace.settings.exports
    before, files = state(distill, workspace, environment), _files(exports)
    space, filler = os.statvfs(disk), disk / "filler"
    filler.write_bytes(bytes(max(0, space.f_bavail * space.f_frsize - kept_kib * KIB)))
    done = run_in(distill, workspace, "run-all", environment=environment)
    if done.code != 0:
        refused(done, 3, "No space left")
        assert str(disk) in done.err or "the table " in done.err, f"it is not said where: {done.text}"
        assert (state(distill, workspace, environment), _files(exports)) == (before, files), (
            f"published, and failed: {done.text}"
        )
    filler.unlink()
    passed(run_in(distill, workspace, "run-all", environment=environment))
    assert state(distill, workspace, environment)[0] == 44
    assert len((exports / "rag/playbooks.jsonl").read_bytes().splitlines()) == 22


def _files(exports: Path) -> dict[str, bytes]:
    found = {path.relative_to(exports).as_posix(): path for path in exports.rglob("*.jsonl")}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(".drafts")}


def a_file_for_the_corpus(workspace: Workspace) -> Path:
    shutil.rmtree(workspace.settings.exports / "rag")
    (workspace.settings.exports / "rag").write_text("in the way")
    return workspace.settings.exports / "rag"


def a_folder_for_the_file(workspace: Workspace) -> Path:
    path = workspace.settings.exports / "sft/instruction_response.jsonl"
    path.unlink()
    path.mkdir()
    return path


def a_file_for_the_reports(workspace: Workspace) -> Path:
    shutil.rmtree(workspace.settings.reports)
    workspace.settings.reports.write_text("in the way")
    return workspace.settings.reports


def a_folder_for_the_catalog(workspace: Workspace) -> Path:
    path = workspace.settings.warehouse / "distillery.duckdb"
    path.unlink()
    path.mkdir()
    return path


IN_THE_WAY = (a_file_for_the_corpus, a_folder_for_the_file, a_file_for_the_reports, a_folder_for_the_catalog)


def test_something_is_in_the_way(tmp_path: Path, prepared: Workspace) -> None:
    """It is named; nothing is published while it is there, and everything once it is gone."""

    def work(distill: Distill, obstacle: Callable[[Workspace], Path]) -> None:
        workspace = more(copied(prepared, tmp_path / obstacle.__name__))
        before, path = state(distill, workspace), obstacle(workspace)
        done = run_in(distill, workspace, "run-all")
        refused(done, 2 if path == workspace.settings.reports else 3, str(path))
        assert state(distill, workspace) == before
        path.rmdir() if path.is_dir() else path.unlink()
        passed(run_in(distill, workspace, "run-all"))
        assert len(workspace.exported("rag/playbooks.jsonl")) == 22

    each(work, IN_THE_WAY)


def test_a_folder_that_may_not_be_written(tmp_path: Path, prepared: Workspace) -> None:
    def work(distill: Distill, what: str) -> None:
        workspace = more(copied(prepared, tmp_path / what.replace("/", "-")))
        before = state(distill, workspace)
        with read_only(workspace.root / what):
            done = mortal(workspace, "run-all")
        assert (done.returncode, "Traceback" in done.stderr) == (3, False), done.stderr
        assert what.removesuffix("/rag") in done.stderr, done.stderr
        assert state(distill, workspace) == before
        passed(run_in(distill, workspace, "run-all"))

    each(work, ["exports/rag", "warehouse/scored/runs"])


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path in folders:
            path.chmod(0o755)


def test_readers_need_no_right_to_write(published: Workspace) -> None:
    with read_only(published.settings.warehouse):
        done = mortal(published, "sql", "select count(*) as n from evidence.records", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [{"n": 4}]), done.stderr


CACHES = {
    "no json": b"\x00\xff{",
    "empty": b"",
    "a list": b"[]",
    "texts": b'{"audits.jsonl": "x", "rag/playbooks.jsonl": 1}',
    "numbers": b'{"audits.jsonl": [1, 2, 3], "rag/playbooks.jsonl": [NaN]}',
    "very deep": b"[" * 100_000,
}


def test_a_damaged_cache_is_no_matter(tmp_path: Path, prepared: Workspace) -> None:
    def work(distill: Distill, name: str) -> None:
        workspace = copied(prepared, tmp_path / name)
        for cache in (".sources.json", ".exports.json"):
            (workspace.settings.warehouse / cache).write_bytes(CACHES[name])
        passed(run_in(distill, workspace, "run-all"))
        assert state(distill, workspace) == (4, 3)

    each(work, CACHES)


def test_a_cache_with_half_an_entry_is_no_matter(published: Workspace, distill: Distill) -> None:
    """What looks right as far as it goes."""
    time.sleep(0.1)  # a file that changed just now is not remembered
    passed(run_in(distill, published, "run-all"))
    for path in (published.settings.warehouse / name for name in (".sources.json", ".exports.json")):
        held = json.loads(path.read_bytes())
        assert held, path
        path.write_text(json.dumps({name: entry[:2] for name, entry in held.items()}))
    passed(run_in(distill, published, "run-all"))


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: (path.stat().st_mtime_ns, path.name))


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def other_bytes(content: bytes) -> bytes:
    """Whole at both ends, so that only who reads the pages sees it."""
    return content[:4] + b"\x55" * 300 + content[304:]


DAMAGE = {"half": half, "nothing": lambda content: b"", "garbage": lambda content: b"x" * len(content), "pages": other_bytes}
TABLES = ("raw.lines", "evidence.records", "exports.rag", "ops.snapshots")


DAMAGED = [(table, damage) for table in TABLES for damage in ("half", "pages")] + [("raw.lines", "nothing")]


def test_a_damaged_parquet_file(tmp_path: Path, prepared: Workspace) -> None:
    """The newest file of a table: both who reads the table and a run say which one it is."""

    def work(distill: Distill, item: tuple[str, str]) -> None:
        table, damage = item
        workspace = more(copied(prepared, tmp_path / "-".join(item)))
        path = newest(workspace.settings.warehouse / table.replace(".", "/"), "*.parquet")
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
        for arguments in (("sql", f"select * from {table}", "--format", "json"), ("run-all",)):
            done = refused(run_in(distill, workspace, *arguments), 3)
            assert path.name in done.err or table in done.err, f"it is not said where: {done.text}"

    each(work, DAMAGED)


def test_a_damaged_log(tmp_path: Path, prepared: Workspace) -> None:
    """Also an empty file, which a power cut leaves: rows that are gone are not passed over in silence."""

    def work(distill: Distill, item: tuple[str, str]) -> None:
        table, damage = item
        workspace = copied(prepared, tmp_path / "-".join(item))
        path = newest(workspace.settings.warehouse / table.replace(".", "/"), "_delta_log/*.json")
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
        for arguments in (("sql", f"select count(*) from {table}"), ("run-all",)):
            done = refused(run_in(distill, workspace, *arguments, environment={"RUST_BACKTRACE": "1"}), 3, table)
            assert "start_thread" not in done.err, f"a native stack is no message: {done.text}"

    each(work, [(table, damage) for table in ("raw.lines", "exports.rag") for damage in ("nothing", "garbage")])


def test_a_lost_parquet_file(published: Workspace, distill: Distill) -> None:
    path = newest(published.settings.warehouse / "ops/receipts", "*.parquet")
    path.unlink()
    done: Done = run_in(distill, published, "receipts", "--run-id", "1 runs ago")
    refused(done, 3, path.name)
    done = run_in(distill, published, "run-all")
    assert done.code in (0, 3) and "Traceback" not in done.err, done.text


def test_standard_output_is_full(published: Workspace) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    for arguments in (["sql", "select 1"], ["sql", "select 1", "--format", "csv"]):
        with Path("/dev/full").open("w") as full:
            command = [sys.executable, "-m", "pipeline", *arguments]
            done = subprocess.run(
                command, env=published.environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
            )
        assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr
