"""Nothing is passed over in silence: what lies beside the streams, what no model reads, and a run of which nothing came."""

import gzip
import json
from pathlib import Path

import pytest

from pipeline.collect.sources import discover
from pipeline.collect.surroundings import folder_meant
from pipeline.errors import InputError
from tests.conftest import Workspace
from tests.support.forked import Distill, passed, refused, run_in

AUDIT = {"ts": 1777777777, "topic": "t", "phase": 1, "evidence": "seen", "severity": "low"}


def put(data: Path, *names: str) -> None:
    for name in names:
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x\n")


def test_every_other_file_is_named(tmp_path: Path) -> None:
    streams = ["a.jsonl", "b.ndjson", "b/c.jsonl.gz", "b/d/e.ndjson.zst"]
    others = ["A.JSONL", "a.csv", "a.json", "a.jsonl.bz2", "a.jsonl~", "b/notes.txt", "b/x.parquet", "jsonl"]
    others += [".b.jsonl", ".g/h.jsonl"]
    put(tmp_path, *streams, *others, ".DS_Store", ".git/config", ".git/HEAD")
    (tmp_path / "empty").touch()
    found = discover(tmp_path)
    assert [file.name for file in found.files] == streams
    assert found.others == sorted([*others, "empty"])


def test_links(tmp_path: Path) -> None:
    """Of files they are followed, within the folder; of folders they are named, so that no line lands twice, or for ever."""
    data, outside = tmp_path / "data", tmp_path / "outside"
    put(data, "a/b.jsonl")
    outside.mkdir()
    (data / "c.jsonl").symlink_to("a/b.jsonl")
    (data / "d").symlink_to("a")
    (data / "a/loop").symlink_to("..")
    (data / "e.txt").symlink_to("nowhere")
    found = discover(data)
    assert [file.name for file in found.files] == ["a/b.jsonl", "c.jsonl"]
    followed = "(a link to a folder, which is not followed)"
    assert found.others == [f"a/loop {followed}", f"d {followed}", "e.txt"]
    (data / "f").symlink_to(outside)
    with pytest.raises(InputError, match="out of the data directory"):
        discover(data)


def test_files_that_are_passed_over_are_counted_beyond_five(workspace: Workspace, distill: Distill) -> None:
    workspace.write("audits.jsonl", [AUDIT])
    put(workspace.data, *(f"{number}.csv" for number in range(1200)), "odd\x1b[31m.txt")
    out = passed(run_in(distill, workspace, "run-all")).out
    assert "0.csv, 1.csv, 10.csv, 100.csv and 1,196 more below" in out
    assert "\x1b[31m" not in out
    assert "and 1,196 more below" in passed(run_in(distill, workspace, "health")).out
    assert "and 1,196 more below" in passed(run_in(distill, workspace, "run-all")).out


def test_a_stream_without_a_model_is_told_with_its_lines(workspace: Workspace, distill: Distill) -> None:
    workspace.write("audits.jsonl", [AUDIT])
    workspace.write("my_agent.jsonl", [{"n": n} for n in range(3)])
    said = "stream my_agent has no model: nothing is made of its 3 lines"
    assert said in passed(run_in(distill, workspace, "run-all")).out
    assert said in passed(run_in(distill, workspace, "health")).out
    (page,) = workspace.settings.reports.glob("*/summary.md")
    assert said in page.read_text()


@pytest.mark.parametrize("stream", ["my_agent", "audits"])
def test_lines_of_which_nothing_comes_fail_the_run(workspace: Workspace, distill: Distill, stream: str) -> None:
    lines: list[bytes] = [b"{", b"\xff", b"[1]", b"{}"]
    workspace.write(f"{stream}.jsonl", lines)
    for _ in range(2):
        done = refused(run_in(distill, workspace, "run-all"), 1, "4 lines landed, and no record came of any", stream, "next: ")
        assert "Traceback" not in done.err
    passed(run_in(distill, workspace, "land"))
    workspace.write("audits.jsonl", [AUDIT])
    passed(run_in(distill, workspace, "run-all"))
    # They had landed, and a line of use makes the run one that passes.
    assert len(workspace.rows("raw.lines")) == 5


def test_a_data_directory_that_is_too_high(workspace: Workspace, distill: Distill) -> None:
    workspace.write("data/_kb/audits.jsonl", [AUDIT])
    workspace.write("data/_kb/outcomes/1.jsonl", [{}])
    done = refused(run_in(distill, workspace, "run-all"), 1, "no record came of any")
    meant = workspace.data / "data/_kb"
    assert f"next: `distill run-all --data {meant} " in done.out
    passed(run_in(distill, workspace, "run-all", "--data", str(meant)))


@pytest.mark.parametrize(
    ("files", "meant"),
    [
        (["audits.jsonl", "old/audits.jsonl"], None),
        (["old/audits.jsonl", "old/outcomes.jsonl.gz", "new/audits/x.ndjson"], "old"),
        (["strangers/1.jsonl"], None),
        (["audits/outcomes.jsonl"], None),
        (["a/b/c/audits/d/outcomes.jsonl"], "a/b/c"),
        ([], None),
    ],
)
def test_the_folder_that_was_meant(files: list[str], meant: str | None) -> None:
    assert folder_meant(files, {"audits", "outcomes"}) == meant


def test_what_older_releases_landed_whole_stops_nothing(workspace: Workspace) -> None:
    """Nothing longer than 64 MiB is read as JSON, so that a warehouse which holds such a line can be worked on."""
    giant = AUDIT | {"evidence": "x" * (64 * 1024 * 1024)}
    (workspace.data / "audits.jsonl.gz").write_bytes(
        gzip.compress(json.dumps(AUDIT).encode() + b"\n" + json.dumps(giant).encode() + b"\n", compresslevel=1)
    )
    workspace.passed(max_line=10**9, memory_limit="1GB")
    (skip,) = workspace.rows("evidence.skips")
    assert (skip["reason"], skip["line_offset"]) == ("too_long", 1)
    assert len(workspace.rows("evidence.records")) == 1
