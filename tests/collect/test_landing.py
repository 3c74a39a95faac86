"""Files to raw.lines: every physical line with its exact place, read once, and a clear word where a file is not what it was."""

import hashlib
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pipeline.errors import InputError
from pipeline.store import ledger
from tests.conftest import RECORDED_AT, Workspace
from tests.support.dock import Dock, packed

LINE = b'{"ts":1,"topic":"x"}'


@pytest.fixture
def dock(tmp_path: Path) -> Dock:
    return Dock(tmp_path)


def test_offsets_are_those_of_sed(dock: Dock) -> None:
    path = dock.put("audits.jsonl", b'\n{"a":1}\r\n \t\n\r\n{"b":"\xe2\x80\xa8\xc2\x85"\n{"c":"\xff"}\n\x0c\x0b\n{"d":4}\r\r\n')
    landed = dock.land()
    found = dock.rows()
    assert [row["line_offset"] for row in found] == [1, 4, 5, 7]
    for row in found:
        shown = subprocess.run(["sed", "-n", f"{row['line_offset'] + 1}p", path], capture_output=True, check=True).stdout
        raw = row["line_bytes"] if row["line"] is None else row["line"].encode()
        assert shown.removesuffix(b"\n").removesuffix(b"\r") == raw
        assert row["line_sha256"] == hashlib.sha256(raw).hexdigest()
    assert [row["line_bytes"] is not None for row in found] == [False, False, True, False]
    assert found[-1]["line"] == '{"d":4}\r'
    assert (landed.lines["audits"], landed.blank["audits"]) == (4, 4)


def test_files_folders_and_packed_files_are_streams(dock: Dock) -> None:
    names = [
        "audits.jsonl",
        "audits/2026/a b.jsonl.gz",
        "audits/größe.jsonl.zst",
        "nobody.knows.jsonl.zst",
        "it's [1]/%41.jsonl",
    ]
    for name in [*names, "notes.txt", ".hidden.jsonl", ".git/x.jsonl", "audits/readme.md"]:
        dock.put(name, LINE + b"\n")
        dock.put(name, LINE + b"\n")
    landed = dock.land()
    streams = {row["source_file"]: row["source"] for row in dock.rows()}
    assert streams == dict(zip(names, ["audits", "audits", "audits", "nobody.knows", "it's [1]"], strict=True))
    assert landed.sources == set(streams.values())
    assert len(dock.rows()) == 2 * len(names)


@pytest.mark.parametrize("name", ["audits.jsonl", "audits.jsonl.gz", "audits.jsonl.zst"])
def test_only_appended_lines_are_landed(dock: Dock, name: str) -> None:
    dock.put(name, b'{"n":0}\n\n{"n":2}\n')
    dock.land()
    before = dock.rows()
    dock.put(name, b'\n{"n":4}\n')
    later = RECORDED_AT + timedelta(hours=1)
    landed = dock.land(at=later)
    after = dock.rows()
    assert after[:2] == before
    assert [(row["line_offset"], row["recorded_at"], row["load_id"]) for row in after[2:]] == [(4, later, "load-2")]
    assert (landed.lines["audits"], landed.blank["audits"]) == (1, 1)
    version = dock.store.version("raw.lines")
    assert dock.land().lines.total() == 0
    assert dock.store.version("raw.lines") == version


@pytest.mark.parametrize("tail", [b'{"n":', b'{"n":"\xc3', b"  ", b"[1,", b"nul"])
def test_a_partial_tail_is_reported_and_read_when_it_is_whole(dock: Dock, tail: bytes) -> None:
    dock.put("audits.jsonl", b'{"n":0}\n' + tail)
    assert dock.land().partial_tails == ["audits.jsonl"]
    assert dock.land().partial_tails == ["audits.jsonl"]
    assert dock.places() == [(0, '{"n":0}')]
    dock.put("audits.jsonl", b'1}\n{"n":2}\n')
    assert dock.land().partial_tails == []
    assert [(row["line_offset"], row["line"] or row["line_bytes"]) for row in dock.rows()][2:] == [(2, '{"n":2}')]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_whole_last_line_needs_no_newline(dock: Dock, ending: bytes) -> None:
    dock.put("audits.jsonl", b'{"n":0}\n{"n":1}')
    assert dock.land().partial_tails == []
    assert dock.land().lines.total() == 0
    if len(ending) == 2:
        dock.put("audits.jsonl", ending[:1])
        dock.land()
    dock.put("audits.jsonl", ending[-1:])
    dock.land()
    dock.put("audits.jsonl", b'{"n":2}\n')
    dock.land()
    assert dock.places() == [(0, '{"n":0}'), (1, '{"n":1}'), (2, '{"n":2}')]


def test_newline_and_more_lines_may_come_at_once(dock: Dock) -> None:
    dock.put("audits.jsonl", b'{"n":0}')
    dock.land()
    dock.put("audits.jsonl", b'\r\n\n{"n":2}\n{"n":3')
    assert dock.land().partial_tails == ["audits.jsonl"]
    assert dock.places() == [(0, '{"n":0}'), (2, '{"n":2}')]


def change(path: Path, content: bytes) -> None:
    """Replaces a file's content and keeps its times, as a careless copy would."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


REWRITES = {
    "shrunk": (b'{"n":0}\n{"n":1}\n', b'{"n":0}\n'),
    "emptied": (b'{"n":0}\n{"n":1}\n', b""),
    "one byte changed": (b'{"n":0}\n{"n":1}\n', b'{"n":0}\n{"n":2}\n'),
    "changed and appended": (b'{"n":0}\n', b'{"n":9}\n{"n":1}\n'),
    "last line continued": (b'{"n":0}\n17', b'{"n":0}\n178\n'),
    "blank line filled": (b'{"n":0}\n  \n', b'{"n":0}\n17\n'),
}


@pytest.mark.parametrize("name", ["audits.jsonl", "audits.jsonl.gz"])
@pytest.mark.parametrize("kind", REWRITES)
def test_a_rewritten_file_stops_the_load_until_it_is_accepted(dock: Dock, kind: str, name: str) -> None:
    old, new = REWRITES[kind]
    path = dock.put(name, old)
    dock.put("outcomes.jsonl", LINE + b"\n")
    dock.land()
    before = dock.rows()
    change(path, packed(name, new))
    for _ in range(2):
        with pytest.raises(InputError, match=name) as caught:
            dock.land()
        assert "--accept-rewrite" in str(caught.value)
        assert dock.rows() == before
    landed = dock.land(accept_rewrite=True)
    assert landed.rewritten == [name]
    assert [row for row in dock.rows() if row["generation"] == 0] == before
    lines = [line for line in new.decode().split("\n") if line.strip()]
    assert [line for _, line in dock.places(generation=1)] == lines
    assert dock.land().lines.total() == 0


def test_a_file_that_was_only_touched_or_put_back_is_the_same(dock: Dock) -> None:
    path = dock.put("audits.jsonl", LINE + b"\n")
    dock.land()
    before = dock.rows()
    os.utime(path, (0, 0))
    assert dock.land(accept_rewrite=True).rewritten == []
    content = path.read_bytes()
    path.unlink()
    assert dock.land().sources == set()
    path.write_bytes(content)
    assert dock.land().lines.total() == 0
    assert dock.rows() == before


def test_times_are_utc_to_the_microsecond(dock: Dock) -> None:
    dock.put("audits.jsonl", LINE + b"\n")
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    dock.land(at=at)
    assert [row["recorded_at"] for row in dock.rows()] == [at]


@pytest.mark.parametrize("name", ["audits.jsonl.gz", "audits.jsonl.zst"])
def test_a_packed_file_that_ends_too_early_is_named(dock: Dock, name: str) -> None:
    content = packed(name, b"".join(json.dumps({"n": n}).encode() + b"\n" for n in range(2000)))
    for broken in (
        content[: len(content) // 2],
        content[:-1],
        content + content[: len(content) // 2],
        content + b"more",
        b"text\n",
    ):
        (dock.data / name).write_bytes(broken)
        with pytest.raises(InputError, match=name):
            dock.land()
        assert dock.rows() == []


def test_links_that_lead_out_of_the_data_folder_are_refused(dock: Dock) -> None:
    outside = dock.root / "outside"
    outside.mkdir()
    (outside / "a.jsonl").write_bytes(LINE + b"\n")
    for name, target in (("audits.jsonl", outside / "a.jsonl"), ("audits", outside)):
        link = dock.data / name
        link.symlink_to(target)
        with pytest.raises(InputError, match="audits"):
            dock.land()
        link.unlink()


def test_a_file_name_that_is_no_utf8_is_refused(dock: Dock) -> None:
    Path(os.fsdecode(os.fsencode(dock.data) + b"/caf\xe9.jsonl")).write_bytes(LINE + b"\n")
    with pytest.raises(InputError, match="UTF-8"):
        dock.land()


def test_lines_survive_maintenance_of_the_ledger(dock: Dock) -> None:
    """Any Delta client may compact a table: that is no torn load, and nothing may be taken back for it."""
    for _ in range(2):
        dock.put("audits.jsonl", LINE + b"\n")
        dock.land()
    before = dock.rows()
    DeltaTable(str(dock.store.path("raw.files"))).optimize.compact()
    ledger.undo_torn_load(dock.store)
    assert dock.land().lines.total() == 0
    assert dock.rows() == before


def test_the_command_names_a_rewritten_file_and_ends_with_3(workspace: Workspace) -> None:
    path = workspace.write("audits.jsonl", [{"ts": 1, "topic": "x"}])
    workspace.passed("land")
    change(path, path.read_bytes().replace(b"x", b"y"))
    done = workspace.command("run-all")
    assert done.returncode == 3
    assert str(path) in done.stderr
    assert "--accept-rewrite" in done.stderr
    assert "Traceback" not in done.stderr
    at = "2026-01-02T03:04:05.678901+01:00"
    accepted = workspace.command("run-all", "--accept-rewrite", "--recorded-at", at, "--json")
    assert accepted.returncode == 0, accepted.stderr
    assert [row["recorded_at"].isoformat() for row in workspace.rows("raw.lines") if row["generation"] == 1] == [
        "2026-01-02T02:04:05.678901+00:00"
    ]


def test_evidence_is_made_of_the_newest_generation_alone(workspace: Workspace) -> None:
    path = workspace.write("audits.jsonl", [{"ts": 1, "topic": "x"}, {"ts": 2, "topic": "y"}, "{"])
    workspace.write("outcomes.jsonl", [{"created_at": 1, "task": "z", "run_id": "r"}])
    workspace.passed()
    path.write_bytes(b'{"ts":3,"topic":"w"}\n{\n{"ts":2,"topic":"y"}\n{"ts":3,"topic":"w"}\n')
    outcome = workspace.passed(accept_rewrite=True)
    records = workspace.rows("evidence.records")
    assert sorted(record["subject"] or "" for record in records) == ["", "w", "y"]
    assert [skip["line_offset"] for skip in workspace.rows("evidence.skips")] == [1]
    assert outcome.receipts[0]["record_counts"]["by_stream"]["audits"] == {
        "lines": 4,
        "records": 2,
        "skipped": 1,
        "deduped": 1,
        "mistyped": 0,
    }
    assert len(workspace.rows("raw.lines")) == 8
    assert any("audits.jsonl" in text for text in outcome.receipts[0]["validation"]["warnings"])


def test_a_removed_file_keeps_its_lines_and_its_evidence(workspace: Workspace) -> None:
    path = workspace.write("audits.jsonl", [{"ts": 1, "topic": "x"}])
    workspace.write("strangers.jsonl", [{"a": 1}, "{", ""])
    first = workspace.passed()
    before = workspace.hashes()
    path.unlink()
    second = workspace.passed()
    assert workspace.hashes() == before
    assert len(workspace.rows("evidence.records")) == 1
    assert second.receipts[0]["record_counts"] == first.receipts[0]["record_counts"]


def test_a_stream_without_a_model_is_landed_counted_and_reported(workspace: Workspace) -> None:
    """And blank lines are counted once, however often the file grows."""
    workspace.write("audits.jsonl", [{"ts": 1, "topic": "x"}])
    for lines, blank in ((2, 1), (4, 2)):
        workspace.write("strangers.jsonl", [{"a": 1}, "{", ""])
        receipt = workspace.passed().receipts[0]
        counts = receipt["record_counts"]
        assert (counts["in"], counts["unmapped"], counts["by_stream"]["strangers"]) == (1, lines, {"unmapped": lines})
        assert counts["blank"] == blank
        assert any("strangers" in text for text in receipt["validation"]["warnings"])
    assert {row["source"] for row in workspace.rows("raw.lines")} == {"audits", "strangers"}
    assert workspace.rows("evidence.skips") == []


def test_a_data_folder_without_a_line_passes(workspace: Workspace) -> None:
    assert workspace.passed().summary["datasets"] == {"rag": 0, "sft": 0, "preference": 0}
