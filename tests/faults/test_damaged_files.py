"""Files beside the tables are damaged: the next run puts them back, does without them, or keeps what had landed of them."""

import gzip
import json
import os
import shutil
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import duckdb
import zstandard

from tests.conftest import Workspace
from tests.faults.damage import WAYS
from tests.faults.record import Faults
from tests.faults.scene import FILES, Scene, clear, drawn, recovers, what
from tests.support.forked import Distill, each, passed, run_in
from tests.support.killing import RUN_ALL, run

UNGATED = b'{"id": "rag-0000000000000000", "content": "no gate ever saw this"}\n'


def with_a_line_more(path: Path, *_: object) -> None:
    path.write_bytes(path.read_bytes() + UNGATED)


EXPORTS = [*product(("rag",), ("truncated", "emptied", "flipped", "with a line more"))]
EXPORTS += [("sft", "lost"), ("sft", "with a line more"), ("preference", "zeroed"), ("preference", "truncated")]


def test_export_files(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    def work(distill: Distill, case: tuple[str, str]) -> None:
        name, way = case
        workspace = scene.copy(tmp_path / "-".join(case))
        path = workspace.settings.exports / FILES[name]
        seen = path.stat()
        WAYS.get(way, with_a_line_more)(path, drawn(*case))
        if path.exists():
            os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))  # whoever did it covered the tracks
        if way == "truncated":
            passed(run_in(distill, workspace, "restore", "--to", "latest"))
            assert what(workspace) == scene.newest
        recovers(scene, distill, workspace)
        faults.injected("export file damaged")

    each(work, EXPORTS)


def test_the_catalog(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    def work(distill: Distill, way: str) -> None:
        workspace = scene.copy(tmp_path / way)
        path = workspace.settings.warehouse / "distillery.duckdb"
        WAYS[way](path, drawn("catalog", way))
        recovers(scene, distill, workspace)
        with duckdb.connect(str(path), read_only=True) as catalog:
            (rows,) = catalog.execute("select count(*) from exports.rag").fetchall()
        assert rows == (len(workspace.exported(FILES["rag"])),)
        faults.injected("catalog damaged")

    each(work, ("truncated", "emptied", "flipped", "lost"))


def caches(content: bytes) -> Callable[[Workspace], None]:
    def write(workspace: Workspace) -> None:
        for name in (".sources.json", ".exports.json"):
            (workspace.settings.warehouse / name).write_bytes(content)

    return write


def half_of_each_entry(workspace: Workspace) -> None:
    for name in (".sources.json", ".exports.json"):
        path = workspace.settings.warehouse / name
        path.write_text(json.dumps({file: entry[:2] for file, entry in json.loads(path.read_bytes()).items()}))


def a_draft_that_no_gate_saw(workspace: Workspace) -> None:
    for file in FILES.values():
        path = workspace.settings.exports / ".drafts" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(UNGATED)
        path.with_suffix(".new").write_bytes(UNGATED)


def a_lock_of_somebody_who_died(workspace: Workspace) -> None:
    (workspace.settings.warehouse / ".lock").write_text("12345 left behind")


def litter(workspace: Workspace) -> None:
    (workspace.settings.warehouse / ".spill").mkdir()
    for name in (".spill/x.tmp", ".distillery.duckdb.draft", ".sources.json.1.draft", "raw/lines/part-of-a-killed-run.parquet"):
        (workspace.settings.warehouse / name).write_bytes(b"litter")


def lost_reports(workspace: Workspace) -> None:
    shutil.rmtree(workspace.settings.reports)


STATE = {
    "caches that are no JSON": caches(b"\x00\xff{"),
    "empty caches": caches(b""),
    "caches of another shape": caches(b"[]"),
    "caches of other values": caches(b'{"scrum_reviews.jsonl": "x", "rag/playbooks.jsonl": [NaN, 2, 3]}'),
    "caches without a bottom": caches(b"[" * 100_000),
    "half caches": half_of_each_entry,
    "drafts": a_draft_that_no_gate_saw,
    "lock": a_lock_of_somebody_who_died,
    "litter": litter,
    "reports": lost_reports,
}


def test_state_files(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    def work(distill: Distill, name: str) -> None:
        workspace = scene.copy(tmp_path / name)
        if name == "half caches":
            time.sleep(0.1)  # a file that changed just now is not remembered
            passed(run(distill, workspace))
        STATE[name](workspace)
        recovers(scene, distill, workspace)
        faults.injected("state file damaged")

    each(work, STATE)


def rewritten(way: str) -> Callable[[Path], None]:
    def damage(data: Path) -> None:
        path = data / "scrum_reviews.jsonl"
        content, landed = path.read_bytes(), path.stat().st_size // 2
        head = data / "head"
        head.write_bytes(content[:landed])  # what is damaged is landed: what is not is nothing yet to be lost
        WAYS[way](head, drawn("source", way))
        path.write_bytes(head.read_bytes() + (content[landed:] if way == "flipped" else b""))
        head.unlink()

    return damage


def packed_badly(name: str, content: bytes) -> Callable[[Path], None]:
    def put(data: Path) -> None:
        (data / name).write_bytes(content)

    return put


PACKED = {
    "half a gzip": ("audits.jsonl.gz", gzip.compress(drawn("gzip").randbytes(1000), mtime=0)[:500]),
    "a flipped gzip": ("audits.jsonl.gz", gzip.compress(b"{}\n" * 99, mtime=0)[:-6] + b"\xff" * 6),
    "no gzip": ("audits.jsonl.gz", b"{}\n" * 99),
    "half a zstd": ("audits.jsonl.zst", zstandard.compress(drawn("zstd").randbytes(1000))[:500]),
    "no zstd": ("audits.jsonl.zst", b"{}\n" * 99),
}
SOURCES = {way: rewritten(way) for way in ("truncated", "emptied", "zeroed", "garbled", "flipped")}
SOURCES |= {name: packed_badly(*file) for name, file in PACKED.items()}


def lines_of(workspace: Workspace) -> list[tuple[object, ...]]:
    names = ("source_file", "generation", "line_offset", "line", "line_bytes", "sig_hash")
    return sorted(tuple(repr(row[name]) for name in names) for row in workspace.rows("raw.lines"))


def test_source_files(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    """Put back, or landed anew as a new generation where it was meant: what had landed stays in either case."""

    def work(distill: Distill, name: str) -> None:
        workspace = scene.copy(tmp_path / name)
        landed = lines_of(workspace)
        SOURCES[name](workspace.data)
        path = workspace.data / PACKED.get(name, ("scrum_reviews.jsonl", b""))[0]
        done = clear(run(distill, workspace), str(path))
        assert what(workspace) == scene.newest and lines_of(workspace) == landed
        if "`distill run-all --accept-rewrite " in done.err:
            meant = workspace.copy(tmp_path / f"{name} meant")
            passed(run_in(distill, meant, *RUN_ALL, "--accept-rewrite"))
            assert set(landed) <= set(lines_of(meant))
            shutil.copy2(scene.root / "data/scrum_reviews.jsonl", path)
        else:
            path.unlink()
        recovers(scene, distill, workspace)
        faults.injected("source file damaged")

    each(work, SOURCES)


def test_a_source_file_that_is_gone(tmp_path: Path, scene: Scene, faults: Faults) -> None:
    """Its landed lines stay, and what was not landed of it comes when it comes back."""

    def work(distill: Distill, name: str) -> None:
        workspace = scene.copy(tmp_path / "gone")
        (workspace.data / name).rename(tmp_path / name)
        passed(run(distill, workspace))
        assert what(workspace) == scene.newest
        (tmp_path / name).rename(workspace.data / name)
        recovers(scene, distill, workspace)
        faults.injected("source file damaged")

    each(work, ["scrum_reviews.jsonl"])
