"""The full-text index: built, brought up to what changed, searched with anything, damaged, restored, vacuumed."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline import search
from pipeline.errors import UsageError
from pipeline.index import fulltext, shelf
from pipeline.index.fulltext import Document
from pipeline.upkeep.vacuuming import vacuum
from tests.conftest import Silent, Workspace, statuses
from tests.support.forked import borrowed, passed, refused, run_in
from tests.support.rows import review
from tests.support.searching import folder, found, ids, indexed
from tests.support.states import put_back

STREAM = "observer_reviews.jsonl"
WORDS = ["retry", "token", "refresh", "cursor", "pagination", "lock", "timeout", "cache", "index", "replica"]


def notes(number: int) -> str:
    one, two = WORDS[number % 10], WORDS[(number // 10 + number) % 10]
    return f"Finding {number}: the {one} of load_{one}_{two} in src/{two}/{one}.py drops E{1000 + number}."


def rows(first: int, last: int, verdict: str = "accept") -> list[dict[str, object]]:
    return [review(f"t{number}", verdict, notes(number), number % 60) for number in range(first, last)]


def folders(workspace: Workspace) -> set[str]:
    return {path.name for path in (workspace.settings.warehouse / "index").iterdir()}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two states: forty findings, and three more."""
    workspace = Workspace(tmp_path_factory.mktemp("published"))
    workspace.write(STREAM, rows(0, 40))
    workspace.passed()
    workspace.write(STREAM, rows(40, 43))
    workspace.passed()
    return workspace.root


@pytest.fixture
def ready(published: Path, tmp_path: Path) -> Workspace:
    return Workspace(published).copy(tmp_path)


# --- finding ----------------------------------------------------------------------------------------------


def test_code_is_found_whole_and_by_its_parts(ready: Workspace) -> None:
    by_content = {row["content"]: row["id"] for row in ready.rows("exports.rag")}
    for number in (3, 17, 41):
        id, text = by_content[notes(number)], notes(number)
        name = next(word for word in text.split() if word.startswith("load_"))
        same = {by_content[other] for other in by_content if name in other}
        assert found(ready, f"e{1000 + number}")[0][0] == id
        for asked in (name, name.upper(), name.replace("_", " ")):
            assert {hit for hit, _ in found(ready, asked, len(same))} == same, asked
        assert id in {hit for hit, _ in found(ready, text.split(" in ")[1].split()[0], 20)}


def test_the_command_shows_where_it_comes_from(ready: Workspace) -> None:
    with borrowed() as distill:
        shown = passed(run_in(distill, ready, "search", "E1041", "--top-k", "1")).out
        document = json.loads(passed(run_in(distill, ready, "search", "E1041", "--json")).out)
        assert "nothing" in passed(run_in(distill, ready, "search", "absentword")).out
        refused(run_in(distill, ready, "search", "x", "--as-of", "absent"), 2, "absent")
    (hit, *_) = document["hits"]
    assert (hit["source"], hit["content"]) == (f"{STREAM}:42", notes(41))
    assert all(text in shown for text in (hit["id"], f"{STREAM}:42", "Finding 41"))
    line = (ready.data / STREAM).read_text().splitlines()[41]
    assert json.loads(line)["notes"] == hit["content"]


HOSTILE = [
    *("", " ", "\0", '"', '"a" AND (b OR', "id:rag-0", "*", "-token", "a^9", "[a TO b]", "/.*/", "token~2", "\\"),
    *("😀", "\ud800token", "' or 1=1 --", "%s %d {}", "token\0retry", "\n\t", "用户", "x" * 1_000_000, "token " * 200_000),
    " ".join(f"E{number}" for number in range(150_000)),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_asked_is_only_words(ready: Workspace, text: str) -> None:
    hits = found(ready, text)
    assert len(hits) <= 8 and {id for id, _ in hits} <= ids(ready)
    assert hits == sorted(hits, key=lambda hit: (-hit[1], hit[0]))


def test_a_word_is_found_whatever_signs_are_around_it(ready: Workspace) -> None:
    plain = found(ready, "token")
    assert plain
    for text in ('"token"', "-token", "+token", "words:token", "(token", "token^9", "TOKEN", "\0token\0", "token\ud800"):
        assert {id for id, _ in found(ready, text, 43)} >= {id for id, _ in plain}, text


def test_a_k_without_sense(ready: Workspace) -> None:
    assert len(found(ready, "finding", 10**9)) == 43
    with pytest.raises(UsageError):
        search.search(ready.warehouse, "finding", 0)


def test_ties_go_by_id_wherever_they_stand(tmp_path: Path) -> None:
    """Also where those with the smallest ids come last, and in other segments."""
    rows = [Document(f"rag-{number:04}", "t", "same words", "") for number in range(300)]
    fulltext.write(tmp_path, reversed(rows[:200]))
    fulltext.write(tmp_path, rows[200:])
    index = fulltext.Index(tmp_path)
    for k in (1, 8, 250):
        assert [hit.id for hit in index.search("words", "", k)] == [row.id for row in rows[:k]]
    index.close()


def test_an_index_of_nothing(workspace: Workspace) -> None:
    workspace.write(STREAM, rows(0, 2, "reject"))
    workspace.passed()
    assert (found(workspace, "finding"), indexed(workspace)) == ([], [])


# --- brought up to what changed ---------------------------------------------------------------------------


def test_incremental_is_as_good_as_new(ready: Workspace, second: Workspace) -> None:
    """The same documents, the same answers; while nothing was taken out, to the last digit of the score."""
    before = {path.name for path in folder(ready, "1 run ago").iterdir()}
    assert len({path.name for path in folder(ready).iterdir()} & before) > 3, "segments of before are not in use"
    second.write(STREAM, rows(0, 43))
    second.passed()
    assert folder(ready).name == folder(second).name
    assert indexed(ready) == indexed(second) == sorted(ids(ready))
    for text in ("token", "load_retry_token", "cursor of src/lock", notes(7)):
        assert found(ready, text, 20) == found(second, text, 20)


def test_what_left_the_corpus_is_not_found(ready: Workspace, second: Workspace) -> None:
    """A finding that another judge rejects leaves the corpus; few of them go out of the index, many make a new one."""
    for first, last, shared in ((5, 7, True), (10, 25, False)):
        before = {path.name for path in folder(ready).iterdir()}
        for workspace in (ready, second):
            workspace.write(STREAM, rows(first, last, "reject"))
        ready.passed()
        segments = {path.name for path in folder(ready).iterdir() if path.suffix == ".store"}
        assert bool(segments & before) == shared
        assert indexed(ready) == sorted(ids(ready)) and f"Finding {first}:" not in str(ready.rows("exports.rag"))
        assert not {id for id, _ in found(ready, f"E{1000 + first}", 50)} - ids(ready)
    second.write(STREAM, rows(0, 43))
    second.passed()
    assert {id for id, _ in found(ready, "token", 50)} == {id for id, _ in found(second, "token", 50)}


def test_nothing_is_done_where_nothing_changed(ready: Workspace) -> None:
    assert statuses(ready.passed())["index"] == "unchanged"
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder(ready).iterdir()}
    assert statuses(ready.passed("index"))["index"] == "unchanged"
    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder(ready).iterdir()} == before
    receipt = ready.passed().receipts[-1]
    assert (receipt["stage"], receipt["record_counts"]["in"], receipt["record_counts"]["out"]) == ("index", 43, 43)


def test_many_small_runs_do_not_leave_many_segments(tmp_path: Path) -> None:
    for number in range(60):
        fulltext.write(tmp_path, [Document(f"rag-{number:04}", "t", notes(number), "")])
    assert fulltext.shape(tmp_path).documents == 60
    assert len(list(tmp_path.glob("*.store"))) < 20


def test_a_corpus_that_was_exported_alone(ready: Workspace) -> None:
    """Then the index on disk is of before: it is not asked, and health says what to type."""
    ready.write(STREAM, rows(50, 52))
    for command in ("land", "build-evidence", "score", "export-rag"):
        ready.passed(command)
    assert search.search(ready.warehouse, "E1051").note is not None
    assert search.search(ready.warehouse, "E1051").rows[0]["content"] == notes(51)
    assert "distill index" in str(search.trouble(ready.warehouse, ready.warehouse.snapshot()))
    ready.passed("index")
    assert search.trouble(ready.warehouse, ready.warehouse.snapshot()) is None
    assert found(ready, "E1051")


# --- earlier states ---------------------------------------------------------------------------------------


def test_as_of_an_earlier_state(ready: Workspace) -> None:
    assert not found(ready, "E1041", as_of="1 run ago") and found(ready, "E1041")
    shutil.rmtree(folder(ready, "1 run ago"))
    earlier = search.search(ready.warehouse, "finding", 50, "1 run ago")
    assert len(earlier.rows) == 40 and "no index on disk" in str(earlier.note)
    assert len(folders(ready)) == 1, "a search leaves nothing"


@pytest.mark.parametrize("gone", [False, True], ids=["there", "gone"])
def test_restore_brings_the_index_back(ready: Workspace, gone: bool) -> None:
    place = folder(ready, "1 run ago")
    inodes = {path.stat().st_ino for path in place.iterdir()}
    if gone:
        shutil.rmtree(place)
    put_back(ready, "1 run ago")
    assert folder(ready) == place and len(indexed(ready)) == 40
    assert ({path.stat().st_ino for path in place.iterdir()} == inodes) == (not gone)
    assert search.trouble(ready.warehouse, ready.warehouse.snapshot()) is None
    ready.passed()
    assert len(indexed(ready)) == 43


def test_vacuum_takes_what_no_kept_state_names(published: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write(STREAM, rows(0, 40))
    workspace.passed()
    old = folder(workspace)
    workspace.write(STREAM, rows(40, 43))
    workspace.passed()
    shared = {path.stat().st_ino for path in old.iterdir()} & {path.stat().st_ino for path in folder(workspace).iterdir()}
    alone = sum(path.stat().st_size for path in old.iterdir() if path.stat().st_ino not in shared)
    assert shared and shelf.freed(list(old.iterdir())) == alone
    with search.opened(workspace.warehouse, "1 run ago") as corpus:
        vacuum(workspace.settings, 1, 0, Silent())
        assert old.is_dir() and corpus.search("finding", 50)
    done = vacuum(workspace.settings, 1, 0, Silent())
    assert done.bytes >= alone and folders(workspace) == {folder(workspace).name}
    assert indexed(workspace) == sorted(ids(workspace))


# --- damage, and kills ------------------------------------------------------------------------------------


def damage(place: Path, kind: str) -> None:
    segment = next(iter(sorted(place.glob("*.idx"))))
    if kind == "gone":
        shutil.rmtree(place)
    elif kind == "a segment is gone":
        segment.unlink()
    elif kind == "a segment is cut off":
        segment.write_bytes(segment.read_bytes()[:-20])
    elif kind == "bytes differ":
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 255
        segment.write_bytes(content)
    else:
        (place / shelf.MANIFEST).write_text("{")


KINDS = ["gone", "a segment is gone", "a segment is cut off", "bytes differ", "no manifest"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_index_is_found_and_built_anew(ready: Workspace, kind: str) -> None:
    damage(folder(ready), kind)
    with borrowed() as distill:
        if kind != "bytes differ":  # which only reading all of it would show
            assert "distill index" in passed(run_in(distill, ready, "health")).out
            assert search.search(ready.warehouse, "E1041").note is not None
        assert search.search(ready.warehouse, "E1041").rows[0]["content"] == notes(41)
        assert statuses(ready.passed())["index"] == "ran"
        assert "full-text" not in passed(run_in(distill, ready, "health")).out
    assert indexed(ready) == sorted(ids(ready)) and found(ready, "E1041")
    assert {path.name for path in folder(ready).parent.iterdir()} <= {folder(ready).name, folder(ready, "2 runs ago").name}


def test_a_damaged_base_is_not_built_upon(ready: Workspace) -> None:
    damage(folder(ready), "bytes differ")
    ready.write(STREAM, rows(43, 45))
    ready.passed()
    assert indexed(ready) == sorted(ids(ready)) and len(ids(ready)) == 45
    assert found(ready, "E1044")
