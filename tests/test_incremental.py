"""However the input arrives, piece by piece or at once, the warehouse and the files are the same; and no work is done twice."""

import gzip
import json
import random
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zstandard
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from pipeline import parallel
from pipeline.settings import Gates
from tests.conftest import STAGES, Workspace, statuses
from tests.oracle.messy import write_messy
from tests.support.rows import review

RAG, SFT, PREFERENCE = "rag/playbooks.jsonl", "sft/instruction_response.jsonl", "preference/chosen_rejected.jsonl"


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few lines need no worker processes, however many files they are in."""
    monkeypatch.setattr(parallel, "SIZE_BEFORE_A_POOL", 10**9)


# --- the central property ---------------------------------------------------------------------------------


@settings(max_examples=1, phases=[Phase.explicit, Phase.generate])
@example(seed=5, pieces=3, mended=True)
@given(seed=st.integers(0, 10**6), pieces=st.integers(2, 3), mended=st.booleans())
def test_appends_with_runs_between_them_equal_one_run_over_the_whole(seed: int, pieces: int, mended: bool) -> None:
    """`mended`: every change counts as small, so that exports decide again only what it reaches."""
    rng = random.Random(seed)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.upkeep.compaction.MANY", 2)
        if mended:
            patch.setattr("pipeline.export.scope.WORTH_IT", 10)
            patch.setattr("pipeline.export.mending.MENDABLE", 10)
        whole, grown = Workspace(Path(folder) / "whole"), Workspace(Path(folder) / "grown")
        write_messy(whole.data, seed, 200)
        at_once = whole.passed()
        for step in range(pieces):
            last = step == pieces - 1
            _grow(rng, whole.data, grown.data, last)
            outcome = grown.passed("run-all" if last else rng.choice(["run-all", "run-all", "land"]))
        assert grown.hashes() == whole.hashes()
        assert grown.files() == whole.files()
        assert [r["record_counts"] for r in outcome.receipts] == [r["record_counts"] for r in at_once.receipts]
        assert [r["output_hash"] for r in outcome.receipts] == [r["output_hash"] for r in at_once.receipts]


def _grow(rng: random.Random, whole: Path, grown: Path, last: bool) -> None:
    """Appends to every file of `grown`, as its writer would, some of what it lacks; at last all of it."""
    for source in sorted(path for path in whole.rglob("*.jsonl*") if path.is_file()):
        target = grown / source.relative_to(whole)
        full, have = _content(source), _content(target) if target.exists() else b""
        if not last and not target.exists() and rng.random() < 0.3:
            continue
        end = len(full) if last else _where_a_writer_pauses(rng, full, len(have))
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab") as stream:
            stream.write(_packed(target.name, full[len(have) : end]))


def _where_a_writer_pauses(rng: random.Random, full: bytes, start: int) -> int:
    """A random place: between two lines, or within one where what is written so far can't be taken for a whole line."""
    place = rng.randint(start, len(full))
    begin = full.rfind(b"\n", 0, place) + 1
    line, so_far = full[begin:].split(b"\n")[0].removesuffix(b"\r"), full[begin:place].removesuffix(b"\r")
    try:
        json.loads(so_far)
    except (ValueError, RecursionError):
        return place
    return place if so_far == line else max(begin, start)


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if path.name.endswith(".gz"):
        return gzip.decompress(data)
    if path.name.endswith(".zst"):
        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    return data


def _packed(name: str, content: bytes) -> bytes:
    if not content:
        return b""
    if name.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    return zstandard.ZstdCompressor().compress(content) if name.endswith(".zst") else content


# --- a small warehouse whose every row is known -----------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three reviews, one of them rejected and one without a verdict, and a fact of a task without any."""
    workspace = Workspace(tmp_path_factory.mktemp("built"))
    reviews = [
        review("t1", "accept", "good", 1, cited_paths=["t1.py"]),
        review("t1", "reject", "bad", 2),
        review("t2", "", "unsure"),
    ]
    workspace.write("observer_reviews/b.jsonl", reviews)
    workspace.write("distilled_facts.jsonl", [{"created_at": 1, "task_id": "t3", "run_id": "f", "text": "a fact"}])
    workspace.passed()
    return workspace.root


@pytest.fixture
def small(built: Path, tmp_path: Path) -> Workspace:
    """A copy of it: a warehouse may be moved."""
    return Workspace(built).copy(tmp_path)


def categories(workspace: Workspace) -> dict[str, str]:
    """Returns the category of every run."""
    return {row["run_id"]: row["category"] for row in workspace.rows("scored.runs")}


def stamps(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """Returns inode and time of every export file: what changes when it is written again."""
    found = (workspace.settings.exports / name for name in (RAG, SFT, PREFERENCE))
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def test_an_unchanged_second_run_does_nothing(small: Workspace) -> None:
    versions, files, hashes = small.versions(), stamps(small), small.hashes()
    outcome = small.passed()
    assert statuses(outcome) == dict.fromkeys(STAGES, "unchanged")
    assert small.versions() == versions
    assert stamps(small) == files
    assert small.hashes() == hashes
    assert outcome.drift is not None
    assert (outcome.drift["level"], {row["cause"] for row in outcome.drift["metrics"] + outcome.drift["tables"]}) == (
        "ok",
        {None},
    )


def test_a_new_verdict_changes_the_score_of_what_was_extracted_before(small: Workspace) -> None:
    assert categories(small)["f"] == "needs_human_review"
    facts = small.warehouse.sql("select * from evidence.records where source = 'distilled_facts'")
    small.write("observer_reviews/b.jsonl", [review("t3", "accept", "later", 4)])
    small.passed()
    assert categories(small)["f"] == "partially_accepted"
    assert small.warehouse.sql("select * from evidence.records where source = 'distilled_facts'") == facts
    assert {row["source_run_id"] for row in small.exported(RAG)} == {"run-good", "run-later", "f"}


def test_a_line_that_sorts_before_its_repeat_takes_its_place(small: Workspace) -> None:
    before = {row["id"]: row for row in small.exported(RAG)}
    small.write("observer_reviews/a.jsonl", ["", review("t1", "accept", "good", 1, cited_paths=["t1.py"])])
    outcome = small.passed()
    (record,) = (row for row in small.rows("evidence.records") if row["run_id"] == "run-good")
    assert (record["source_file"], record["line_offset"]) == ("observer_reviews/a.jsonl", 1)
    after = {row["id"]: row for row in small.exported(RAG)}
    assert after.keys() == before.keys()
    assert {row["provenance"]["source_file"] for row in after.values()} == {"observer_reviews/a.jsonl"}
    counts = outcome.receipts[0]["record_counts"]
    assert (counts["out"], counts["deduped"]) == (4, 1)
    small.write("observer_reviews/c.jsonl", [review("t1", "accept", "good", 1, cited_paths=["t1.py"])])
    assert small.passed().receipts[0]["record_counts"]["deduped"] == 2
    assert {row["id"]: row for row in small.exported(RAG)} == after


@pytest.mark.parametrize("harm", ["deleted", "same size"])
def test_a_harmed_export_file_is_put_back(small: Workspace, harm: str) -> None:
    before, versions = small.files(), small.versions()
    path = small.settings.exports / RAG
    if harm == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"good", b"evil"))
    outcome = small.passed()
    assert small.files() == before
    done = statuses(outcome)
    assert (done.pop("export-rag"), set(done.values())) == ("ran", {"unchanged"})
    assert {name for name, version in small.versions().items() if versions[name] != version} <= {
        "exports.rag",
        "exports.quarantine",
    }


def test_switching_include_review_on_and_off_again(small: Workspace) -> None:
    before, hashes = small.files(), small.hashes()
    opened = small.passed(gates=Gates(include_review=True))
    assert statuses(opened) == dict.fromkeys(STAGES[:2], "unchanged") | dict.fromkeys(STAGES[2:], "ran")
    assert {row["source_run_id"] for row in small.exported(RAG)} == {"run-good", "run-unsure", "f"}
    assert small.files()[SFT] == before[SFT]
    small.passed()
    assert small.files() == before
    assert small.hashes() == hashes


def test_changing_the_known_paths(small: Workspace) -> None:
    known, before = small.root / "known.txt", small.files()
    gates = Gates(known_paths=known)
    for paths, rows in (("t2.py\n", 0), ("t2.py\nt1.py\n", 1)):
        known.write_text(paths)
        outcome = small.passed(gates=gates)
        assert outcome.summary["datasets"]["rag"] == rows
        assert list(statuses(outcome).values()) == ["unchanged"] * 2 + ["ran"] * 5
    assert small.files() == before
    known.write_text("t1.py\nt2.py\n")
    assert statuses(small.passed(gates=gates)) == dict.fromkeys(STAGES, "unchanged")


def test_the_stages_one_by_one_equal_run_all(small: Workspace, second: Workspace) -> None:
    shutil.copytree(small.root, second.root, ignore=shutil.ignore_patterns("second"), dirs_exist_ok=True)
    for workspace in (small, second):
        workspace.write("observer_reviews/b.jsonl", [review("t3", "accept", "later", 4), "{"])
    small.passed()
    for command in ("land", "build-evidence", "score", "export-all"):
        second.passed(command)
    assert second.hashes() == small.hashes()
    assert second.files() == small.files()
