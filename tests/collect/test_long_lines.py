"""Lines that are too long: their gist lands, whatever blocks the file comes in, and nothing that follows it is lost."""

import hashlib
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parallel
from pipeline.cli.options import Size
from pipeline.collect import blocks
from pipeline.collect.blocks import HEAD_BYTES
from pipeline.errors import DamageError
from pipeline.store.contents import content_of, verify_content
from tests.conftest import Workspace
from tests.support.dock import TABLES, Dock
from tests.support.forked import Distill, passed, refused, run_in
from tests.support.traced import of, of_line, statuses, wrong

LIMIT = 40
ALONE = 10**9
LINES = st.lists(
    st.sampled_from(
        [
            b'{"n":1}',
            b"",
            b" " * 90,
            b'{"long":"' + b"x" * 90 + b'"}',
            b"\xc3\xa9" * 40,
            b"\xff" * 50,
            b"\0" * 60,
            b"y" * LIMIT,
            b"z" * (LIMIT + 1),
            b"\r" * 50,
        ]
    ),
    max_size=8,
)


@pytest.fixture
def dock(tmp_path: Path) -> Dock:
    return Dock(tmp_path)


def expected(content: bytes) -> list[tuple[int, str, bytes]]:
    """What must land: place, hash and kept bytes of every line but blank ones and a last one that is not complete."""
    *whole, last = content.split(b"\n")
    lines = [line.removesuffix(b"\r") for line in whole]
    if len(last.removesuffix(b"\r")) <= LIMIT and last.removesuffix(b"\r") == b'{"n":1}':
        lines.append(last.removesuffix(b"\r"))
    return [
        (offset, hashlib.sha256(line).hexdigest(), line[:HEAD_BYTES])
        for offset, line in enumerate(lines)
        if line and not line.isspace()
    ]


@settings(max_examples=25)
@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.sampled_from([1, 7, 39, 64, 1000]), st.integers(0, 300))
def test_lines_land_the_same_wherever_blocks_end(
    lines: list[bytes], newline: bytes, ended: bool, size: int, first_part: int
) -> None:
    """In one go and in two, plain and packed."""
    content = newline.join(lines) + (newline if ended else b"")
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(blocks, "CHUNK_BYTES", size)
        patch.setattr(parallel, "SIZE_BEFORE_A_POOL", ALONE)
        dock = Dock(Path(folder))
        cut = content.rfind(b"\n", 0, first_part) + 1
        dock.put("audits.jsonl", content[:cut])
        dock.put("outcomes.jsonl.gz", content)
        dock.land(max_line=LIMIT)
        dock.put("audits.jsonl", content[cut:])
        dock.land(max_line=LIMIT)
        for name in ("audits.jsonl", "outcomes.jsonl.gz"):
            rows = dock.rows(source_file=name)
            found = [(r["line_offset"], r["line_sha256"], r["line_bytes"] or r["line"].encode()) for r in rows]
            assert found == expected(content)
            for row in rows:
                kept = row["line_bytes"] or row["line"].encode()
                size_of_line = len(content.split(b"\n")[row["line_offset"]].removesuffix(b"\r"))
                assert (row["status"] == "too_long") == (size_of_line > LIMIT)
                if row["status"] == "too_long":
                    assert row["detail"].startswith(f"a line of {size_of_line} bytes,")
                    assert row["detail"].endswith(hashlib.sha256(kept).hexdigest())
                    assert (row["sig_hash"], row["meaning"]) == (None, None)


def test_only_the_first_bytes_are_kept(dock: Dock) -> None:
    """As text where they are UTF-8, else as bytes: a character may be cut in two."""
    texts = [b"a" * 10_000, b"a" + "é".encode() * 5_000, "é".encode() * 5_000]
    dock.put("audits.jsonl", b"\n".join(texts) + b"\n")
    dock.land(max_line=100)
    assert [row["line"] or row["line_bytes"] for row in dock.rows()] == ["a" * 4096, texts[1][:4096], "é" * 2048]


def test_a_line_that_grows_lands_once_it_has_ended(dock: Dock) -> None:
    dock.put("audits.jsonl", b'{"n":0}\n{"long":"' + b"x" * 100)
    for more in (b"", b"y" * 100, b'"}', b"\r"):
        dock.put("audits.jsonl", more)
        assert dock.land(max_line=LIMIT).partial_tails == ["audits.jsonl"]
        assert len(dock.rows()) == 1
    dock.put("audits.jsonl", b'\n{"n":2}\n')
    assert dock.land(max_line=LIMIT).partial_tails == []
    assert [(row["line_offset"], row["status"]) for row in dock.rows()] == [(0, "object"), (1, "too_long"), (2, "object")]
    assert dock.rows()[1]["line_sha256"] == hashlib.sha256(b'{"long":"' + b"x" * 100 + b"y" * 100 + b'"}').hexdigest()


def test_what_is_landed_stays_landed_when_the_limit_moves(dock: Dock) -> None:
    line = b'{"long":"' + b"x" * 100 + b'"}'
    dock.put("audits.jsonl", line + b"\n")
    dock.land(max_line=LIMIT)
    dock.put("audits.jsonl", line + b"\n")
    dock.land(max_line=1000)
    dock.put("audits.jsonl", line + b"\n")
    dock.land(max_line=LIMIT)
    assert [row["status"] for row in dock.rows()] == ["too_long", "object", "too_long"]
    assert len({row["line_sha256"] for row in dock.rows()}) == 1


def test_a_line_without_its_newline_that_was_landed_may_not_be_continued(dock: Dock) -> None:
    dock.put("audits.jsonl", b'{"n":0}')
    dock.land(max_line=LIMIT)
    dock.put("audits.jsonl", b"\r\n" + b"x" * 100 + b"\n")
    dock.land(max_line=LIMIT)
    assert [row["status"] for row in dock.rows()] == ["object", "too_long"]


def test_worker_processes_land_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "CHUNK_BYTES", 200)
    content = b"".join(json.dumps({"n": n, "x": "é" * (n % 7 * 100)}, ensure_ascii=False).encode() + b"\n" for n in range(60))
    found = []
    for name, alone in (("alone", ALONE), ("together", 4)):
        monkeypatch.setattr(parallel, "SIZE_BEFORE_A_POOL", alone)
        dock = Dock(tmp_path / name)
        dock.put("audits.jsonl", content)
        dock.land(max_line=300)
        found.append(dock.rows())
    assert {row["status"] for row in found[0]} == {"object", "too_long"}
    assert found[0] == found[1]


def long_audit(name: str, size: int) -> dict[str, object]:
    return {"ts": 1777777777, "topic": name, "phase": 1, "evidence": "x" * size, "severity": "low"}


def test_it_is_a_skip_that_adds_up_and_that_every_check_can_follow(workspace: Workspace, distill: Distill) -> None:
    longer = [long_audit("b", 20_000), long_audit("c", 20_000)]
    workspace.write("audits.jsonl", [*longer, long_audit("a", 10)])
    outcome = workspace.passed(max_line=1000)
    skips = workspace.rows("evidence.skips")
    assert [(skip["reason"], skip["sig_hash"]) for skip in skips] == [("too_long", None)] * 2
    assert all(f" {len(json.dumps(longer[0]))} bytes" in skip["detail"] for skip in skips)
    counts = outcome.receipts[0]["record_counts"]
    assert counts["by_stream"]["audits"] == {"lines": 3, "records": 1, "skipped": 2, "deduped": 0, "mistyped": 0}
    assert counts["by_reason"] == {"too_long": 2}
    # The whole line is hashed where it stands; of what landed, only the bytes that are kept.
    found = of_line(workspace, "audits.jsonl:1")
    assert found.holds and {statuses(found)[name] for name in ("raw line", "source")} == {"ok"}
    passed(run_in(distill, workspace, "audit-full", "--full"))
    path = workspace.data / "audits.jsonl"
    path.write_bytes(path.read_bytes().replace(b"x}", b"y}").replace(b'x", "sev', b'y", "sev'))
    assert wrong(of_line(workspace, "audits.jsonl:1")) == {"source": {"line_sha256"}}


def test_a_limit_that_makes_no_sense_is_refused(workspace: Workspace, distill: Distill) -> None:
    for said in ("65MiB", "0", "much", "-1", "1.5MB", "", "16 parsecs"):
        refused(run_in(distill, workspace, "run-all", "--max-line", said), 2, "--max-line")
    assert [Size(10**9).convert(said, None, None) for said in ("16MiB", "20MB", "5000", "7 kb", "1KIB", "9b")] == [
        16 * 1024**2,
        20_000_000,
        5000,
        7000,
        1024,
        9,
    ]


@pytest.mark.parametrize("changed", [False, True])
def test_kept_bytes_that_were_changed_do_not_pass_verification(dock: Dock, changed: bool) -> None:
    """The content hash does not cover lines, which their own hashes prove; these are proven by the hash in the detail."""
    dock.put("audits.jsonl", b'{"n":0}\n' + b"x" * 100 + b"\n")
    dock.land(max_line=LIMIT)
    (file,) = dock.store.read("raw.lines").files
    table, version = TABLES["raw.lines"], dock.store.version("raw.lines")
    engine = dock.engine()
    content, digests = content_of(dock.store, engine, table, version, None)
    if changed:
        rows = pq.read_table(file).to_pylist()
        rows[1]["line"] = "y" + rows[1]["line"][1:]
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
    engine.close()
    engine = dock.engine()
    try:
        with pytest.raises(DamageError, match="not what their hashes say") if changed else nullcontext():
            verify_content(dock.store, engine, table, version, content, digests)
    finally:
        engine.close()


GIANT = 150


def test_a_small_file_with_a_giant_line_stops_nothing(workspace: Workspace) -> None:
    """5 kB that unpack to one line of 150 MB, and as much again without an end, in an address space of 3.5 GB."""
    workspace.write("audits.jsonl", [long_audit("a", 10)])
    for name, begin, end in (("observer_reviews", b'{"ts":1,"notes":"', b'"}\n'), ("outcomes", b"", b"")):
        path = workspace.data / f"{name}.jsonl.zst"
        with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as stream:
            stream.write(begin)
            for _ in range(GIANT):
                stream.write(b"a" * 1_000_000)
            stream.write(end)
    limited = "import resource, runpy; resource.setrlimit(resource.RLIMIT_AS, (3_500_000_000,) * 2); "
    limited += "runpy.run_module('pipeline', run_name='__main__')"
    command = [sys.executable, "-c", limited, "run-all", "--threads", "1", "--memory-limit", "500MB"]
    done = subprocess.run(command, env=workspace.environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [(row["source"], row["reason"]) for row in workspace.rows("evidence.skips")] == [("observer_reviews", "too_long")]
    assert "outcomes.jsonl.zst: its last line is not complete yet" in done.stdout
    assert len(workspace.rows("exports.rag")) == 1


@pytest.mark.parametrize("name", ["audits.ndjson", "audits.ndjson.gz", "audits.ndjson.zst"])
def test_the_other_ending_of_the_same_format(dock: Dock, name: str) -> None:
    dock.put(name, b'{"n":1}\n')
    dock.put("audits.jsonl", b'{"n":1}\n')
    assert dock.land().sources == {"audits"}
    assert len(dock.rows()) == 2


MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("name", ["audits.jsonl", "audits.jsonl.gz"])
def test_a_byte_order_mark_begins_a_file_and_no_json(dock: Dock, name: str) -> None:
    line = b'{"n":1}'
    slow = b'{"n":1,"n":2}'
    dock.put(name, MARK + line + b"\n" + MARK + line + b"\n" + line + b"\n")
    dock.put("outcomes.jsonl", MARK + slow + b"\r\n")
    dock.put("tail.jsonl", MARK + line)
    assert dock.land().partial_tails == []
    marked, in_between, plain = dock.rows(source_file=name)
    assert marked["line"].encode() == MARK + line and marked["line_sha256"] == hashlib.sha256(MARK + line).hexdigest()
    assert (marked["status"], marked["sig_hash"], marked["meaning"]) == ("object", plain["sig_hash"], line.decode())
    assert in_between["status"] == "invalid_json"
    (twice,) = dock.rows(source_file="outcomes.jsonl")
    assert (twice["status"], twice["meaning"]) == ("object", '{"n":2}')
    (last,) = dock.rows(source_file="tail.jsonl")
    assert last["status"] == "object"
    assert dock.land().lines.total() == 0


def test_a_record_comes_of_a_line_behind_a_byte_order_mark(workspace: Workspace, distill: Distill) -> None:
    path = workspace.data / "audits.jsonl"
    path.write_bytes(MARK + json.dumps(long_audit("a", 10)).encode() + b"\n")
    workspace.passed()
    assert [record["subject"] for record in workspace.rows("evidence.records")] == ["a"]
    passed(run_in(distill, workspace, "audit-full", "--full"))
    (row,) = workspace.rows("exports.rag")
    assert of(workspace, row["id"]).holds
