"""A data directory that is not what it should be: said at once, in one line, with the name of the thing."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.support.forked import Distill, borrowed, each, passed, refused, run_in

# Root may read everything; without these two rights it is as anybody else.
MORTAL = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("prepared"))
    with borrowed() as distill:
        workspace.write("audits.jsonl", [audit("low"), audit("high")])
        passed(run_in(distill, workspace, "run-all"))
        return workspace


@pytest.fixture
def published(tmp_path: Path, prepared: Workspace) -> Workspace:
    return prepared.copy(tmp_path / "copy")


def audit(severity: str, evidence: str = "") -> dict[str, object]:
    return {"ts": 1777777777, "topic": "t", "phase": 1, "evidence": evidence or severity, "severity": severity}


def mortal(workspace: Workspace, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs the real command as a user whom permissions stop."""
    if os.geteuid() == 0 and shutil.which(MORTAL[0]) is None:
        pytest.skip("runs as root, and there is no setpriv to give up its rights")
    command = [*(MORTAL if os.geteuid() == 0 else ()), sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, env=workspace.environment(), capture_output=True, text=True, timeout=60)


def test_no_data_directory(published: Workspace, distill: Distill) -> None:
    shutil.rmtree(published.data)
    refused(run_in(distill, published, "run-all"), 3, str(published.data), "--data")
    assert len(published.warehouse.snapshots()) == 1


def test_the_data_directory_is_a_file(published: Workspace, distill: Distill) -> None:
    shutil.rmtree(published.data)
    published.data.write_text("{}\n")
    done = run_in(distill, published, "run-all")
    refused(done, done.code, str(published.data))
    assert done.code in (2, 3)


NOTHING: dict[str, list[bytes]] = {"no file": [], "blanks": [b"", b"  ", b"\t\r"]}


def test_nothing_of_use_in_a_first_run(tmp_path: Path) -> None:
    """Missing streams are fine: so is no stream at all."""

    def work(distill: Distill, name: str) -> None:
        workspace = Workspace(tmp_path / name)
        if NOTHING[name]:
            workspace.write("audits.jsonl", NOTHING[name])
        for _ in range(2):
            passed(run_in(distill, workspace, "run-all"))
        corpora = [content for name, content in workspace.files().items() if name.endswith(".jsonl")]
        assert corpora == [b""] * 3 and "playbooks/README.md" in workspace.files()
        passed(run_in(distill, workspace, "health"))

    each(work, NOTHING)


def test_a_stream_that_is_gone_keeps_its_lines(published: Workspace, distill: Distill) -> None:
    (published.data / "audits.jsonl").unlink()
    passed(run_in(distill, published, "run-all"))
    assert len(published.rows("raw.lines")) == 2


def test_folders_named_as_files(published: Workspace, distill: Distill) -> None:
    published.write("x.jsonl/audits.jsonl", [audit("low")])
    published.write("audits.jsonl.gz/deep/er/a.jsonl", [audit("low", "in a folder")])
    (published.data / "outcomes.jsonl").mkdir()
    passed(run_in(distill, published, "run-all"))
    assert {row["source_file"] for row in published.rows("raw.lines")} == {
        "audits.jsonl",
        "x.jsonl/audits.jsonl",
        "audits.jsonl.gz/deep/er/a.jsonl",
    }


def test_pipes_and_sockets_do_not_hang(published: Workspace, tmp_path: Path) -> None:
    os.mkfifo(published.data / "outcomes.jsonl")
    os.mkfifo(published.data / "outcomes.jsonl.gz")
    (published.data / "sub").mkdir()
    os.mkfifo(published.data / "sub/x.jsonl")
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(published.data)
        listening.bind("s.jsonl")
        os.chdir(tmp_path)
        command = [sys.executable, "-m", "pipeline", "run-all"]
        done = subprocess.run(command, env=published.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(published.rows("raw.lines")) == 2


def link_to_a_file(data: Path, outside: Path) -> str:
    (outside / "outcomes.jsonl").write_text("{}\n")
    (data / "outcomes.jsonl").symlink_to(outside / "outcomes.jsonl")
    return "outcomes.jsonl"


def link_to_a_folder(data: Path, outside: Path) -> str:
    (outside / "a.jsonl").write_text("{}\n")
    (data / "outcomes").symlink_to(outside)
    return "outcomes"


def link_to_nothing(data: Path, outside: Path) -> str:
    (data / "outcomes.jsonl").symlink_to(outside / "gone.jsonl")
    return "outcomes.jsonl"


def link_to_itself(data: Path, outside: Path) -> str:
    (data / "outcomes.jsonl").symlink_to("outcomes.jsonl")
    return "outcomes.jsonl"


def no_gzip(data: Path, outside: Path) -> str:
    (data / "outcomes.jsonl.gz").write_bytes(b"{}\n" * 100)
    return "outcomes.jsonl.gz"


def half_a_gzip(data: Path, outside: Path) -> str:
    import gzip

    (data / "outcomes.jsonl.gz").write_bytes(gzip.compress(os.urandom(1000))[:500])
    return "outcomes.jsonl.gz"


def no_zstandard(data: Path, outside: Path) -> str:
    (data / "outcomes.jsonl.zst").write_bytes(b"{}\n" * 100)
    return "outcomes.jsonl.zst"


def no_utf8(data: Path, outside: Path) -> str:
    (data / "a\udcff.jsonl").write_bytes(b"{}\n")
    return ".jsonl"


ODD = (link_to_a_file, link_to_a_folder, link_to_nothing, link_to_itself, no_gzip, half_a_gzip, no_zstandard, no_utf8)


def test_what_can_not_be_read_stops_the_run(tmp_path: Path, prepared: Workspace) -> None:
    """It is named, to people and to machines; nothing is published, and nothing is silently left out."""

    def work(distill: Distill, odd: Callable[[Path, Path], str]) -> None:
        outside = tmp_path / odd.__name__ / "outside"
        workspace = prepared.copy(tmp_path / odd.__name__ / "copy")
        outside.mkdir()
        name = odd(workspace.data, outside)
        workspace.write("audits.jsonl", [audit("low", "one more")])
        document = json.loads(refused(run_in(distill, workspace, "run-all", "--json"), 3, name).out)
        assert name in document["error"] and not document["summary"]["overall_passed"]
        assert len(workspace.rows("raw.lines")) == 2

    each(work, ODD)


def test_what_may_not_be_read_stops_the_run(published: Workspace) -> None:
    hidden = published.write("sub/a.jsonl", [{}]).parent
    for path in (published.write("audits.jsonl", [audit("low", "one more")]), hidden):
        path.chmod(0)
        done = mortal(published, "run-all")
        path.chmod(0o755)
        assert (done.returncode, "Traceback" in done.stderr, str(path) in done.stderr) == (3, False, True), done.stderr
    assert len(published.warehouse.snapshots()) == 1


def test_a_failed_run_is_told_by_health_and_receipts(published: Workspace, distill: Distill) -> None:
    no_gzip(published.data, published.root)
    done = refused(run_in(distill, published, "run-all", "--json"), 3)
    run_id = json.loads(done.out)["summary"]["run_id"]
    assert run_in(distill, published, "health").code == 1
    told = passed(run_in(distill, published, "receipts", "--run-id", run_id, "--json"))
    statuses = {receipt["stage"]: receipt["status"] for receipt in json.loads(told.out)}
    assert statuses["collect"] == "failed" and set(list(statuses.values())[1:]) == {"not_run"}
    assert (published.settings.reports / run_id / "summary.md").is_file()
    (published.data / "outcomes.jsonl.gz").unlink()
    passed(run_in(distill, published, "run-all"))
    assert run_in(distill, published, "health").code == 0


def test_a_run_whose_files_find_no_place_is_told_as_failed(published: Workspace, distill: Distill) -> None:
    """It was on its way to be published, which is no reason to say that it passed."""
    path = published.settings.exports / "rag/playbooks.jsonl"
    path.unlink()
    path.mkdir()
    done = refused(run_in(distill, published, "run-all", "--json"), 3, str(path), "next: ")
    summary = json.loads(done.out)["summary"]
    assert summary["overall_passed"] is False
    page = published.settings.reports / summary["run_id"] / "summary.md"
    assert page.read_text().startswith(f"# Run {summary['run_id']}: FAILED")
    assert f"the last run, {summary['run_id']}, failed" in run_in(distill, published, "health").out
    path.rmdir()
    passed(run_in(distill, published, "run-all"))
    assert run_in(distill, published, "health").code == 0
