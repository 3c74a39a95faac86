"""The audit reads the source files too: a line that was changed fails it, a file that is gone is a warning."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from pipeline.audit import audit, checks
from pipeline.audit.results import Result
from pipeline.cli import main as distill
from tests.conftest import Silent, Workspace
from tests.support.dock import packed
from tests.support.killing import review

NAMES = ["scrum_reviews.jsonl", "scrum_reviews.jsonl.gz", "scrum_reviews.jsonl.zst", "scrum_reviews/1.jsonl"]
Change = Callable[[bytes], bytes]
Landed = Callable[..., Path]
CHANGES: dict[str, Change] = {
    "another text": lambda raw: raw.replace(b"Finding 4", b"Finding 9"),
    "another space": lambda raw: raw.replace(b'"review": "Finding 4"', b'"review":  "Finding 4"'),
}


@pytest.fixture(autouse=True)
def fixture_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The invariants have tests of their own."""
    monkeypatch.setattr(checks, "acceptance", SimpleNamespace(examine=lambda sql: []))


def lines(count: int = 12) -> bytes:
    return b"".join(json.dumps(review(n)).encode() + b"\r\n" for n in range(count))


# Its first record stands in the third line, and its last line is not ended.
LANDED = b"{broken\r\n\n" + lines().removesuffix(b"\r\n")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of twelve records for each name that a file may have, with some dirt before them."""
    root = tmp_path_factory.mktemp("published")
    for number, name in enumerate(NAMES):
        workspace = Workspace(root / str(number))
        path = workspace.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed(name, LANDED))
        workspace.passed()
    return root


@pytest.fixture
def landed(published: Path, workspace: Workspace) -> Landed:
    """Fills the workspace with a published warehouse, and returns its source file."""

    def copied(name: str = NAMES[0]) -> Path:
        shutil.copytree(published / str(NAMES.index(name)), workspace.root, dirs_exist_ok=True)
        return workspace.data / name

    return copied


def provenance(workspace: Workspace, *, full: bool = False) -> Result:
    """Returns the result of the fifth check; no other may fail."""
    found = audit(workspace.settings, Silent(), full=full)
    assert [result.name for result in found.results if not result.passed] in ([], ["provenance_sample"])
    return next(result for result in found.results if result.name == "provenance_sample")


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_files_as_they_landed(workspace: Workspace, landed: Landed, name: str, full: bool) -> None:
    landed(name)
    assert provenance(workspace, full=full) == Result(5, "provenance_sample", ())


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_line_that_was_changed(workspace: Workspace, landed: Landed, name: str, change: str) -> None:
    path = landed(name)
    path.write_bytes(packed(name, CHANGES[change](LANDED)))
    (finding,) = provenance(workspace).findings
    assert finding.startswith(f"{path}:7: the line is not the one that was landed") and "--accept-rewrite" in finding


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_gone(workspace: Workspace, landed: Landed, name: str) -> None:
    path = landed(name)
    workspace.write("outcomes.jsonl", [{"created_at": 1777777777, "task": "t", "summary": "s", "all_events_ok": True}])
    workspace.passed()
    path.unlink()
    result = provenance(workspace, full=True)
    assert result.passed
    (warning,) = result.warnings
    assert warning.startswith(f"12 of 13 records were held against raw.lines alone: {name} can't be found below")
    page = (workspace.settings.reports / "audit-full.md").read_text()
    assert "| 5 | provenance_sample | ok<br>warning: 12 of 13 records" in page
    (row,) = workspace.rows("ops.audit_baselines")
    assert json.loads(row["checks"])[4]["warnings"] == [warning] and row["passed"]


def test_no_data_directory_at_all(workspace: Workspace, landed: Landed) -> None:
    landed()
    moved = replace(workspace.settings, data=workspace.root / "elsewhere")
    found = audit(moved, Silent())
    assert found.passed and "name their folder with --data" in found.results[4].warnings[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_cut_off(workspace: Workspace, landed: Landed, name: str) -> None:
    path = landed(name)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    findings = provenance(workspace).findings
    assert findings and all(str(path) in finding or "more lines" in finding for finding in findings)


def test_many_changed_lines_are_counted(workspace: Workspace, landed: Landed) -> None:
    path = landed()
    path.write_bytes(LANDED.replace(b"Finding", b"finding"))
    *named, last = provenance(workspace, full=True).findings
    assert len(named) == 5 and last == "scrum_reviews.jsonl: 7 more lines are not those that were landed"


def test_a_sample_leaves_lines_out_and_full_does_not(workspace: Workspace) -> None:
    path = workspace.data / NAMES[0]
    path.write_bytes(lines(200))
    workspace.passed()
    path.write_bytes(lines(200).replace(b'"Finding 1', b'"finding 1'))
    sampled, full = (provenance(workspace, full=full).findings[-1] for full in (False, True))
    assert full == "scrum_reviews.jsonl: 106 more lines are not those that were landed"
    assert sampled != full


def test_a_file_that_grew_is_fine(workspace: Workspace, landed: Landed) -> None:
    path = landed()
    path.write_bytes(LANDED + b"\r\n" + lines(20))
    assert provenance(workspace, full=True) == Result(5, "provenance_sample", ())


def test_a_rewritten_file_whose_records_are_still_those_of_before(workspace: Workspace, landed: Landed) -> None:
    path = landed()
    path.write_bytes(LANDED.replace(b"Finding", b"finding"))
    workspace.passed("land", accept_rewrite=True)
    assert audit(workspace.settings, Silent(), full=True).results[4] == Result(5, "provenance_sample", ())
    workspace.passed()
    assert provenance(workspace, full=True) == Result(5, "provenance_sample", ())
    path.write_bytes(LANDED)
    assert len(provenance(workspace, full=True).findings) == 6


def test_the_command_says_it(workspace: Workspace, landed: Landed, monkeypatch: pytest.MonkeyPatch) -> None:
    path = landed()
    for name, value in workspace.environment().items():
        monkeypatch.setenv(name, value)
    path.rename(path.with_suffix(".rotated"))
    done = CliRunner().invoke(distill, ["audit-full"])
    assert done.exit_code == 0 and "16/16 hold" in done.output
    assert "warning: 5 provenance_sample: 12 of 12 records were held against raw.lines alone" in done.output
    done = CliRunner().invoke(distill, ["audit-full", "--data", str(workspace.root), "--json"])
    assert json.loads(done.output)["checks"][4]["warnings"]
