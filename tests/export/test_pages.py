"""The folder of pages: written where something changed, whole after a kill, put back to the byte, others' files left alone."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.audit.checks import Context, files_equal_tables
from pipeline.disk import file_sha256
from pipeline.errors import WarehouseError
from pipeline.export import manifest, page_folder, pages
from pipeline.export.files import STAMPS
from pipeline.query.health import examine
from pipeline.session import opened
from pipeline.upkeep.restoring import restore
from tests.conftest import Silent, Workspace, statuses
from tests.support.repositories import entered
from tests.support.rows import copied_sql, edit, review

STREAM = "observer_reviews.jsonl"
FOLDER = "playbooks"
# So many that a small change is mended, not written anew.
FILLER = [review(f"f{n % 12}", "accept", f"Verify filler {n}", n % 60) for n in range(60)]


def page_files(workspace: Workspace) -> dict[str, bytes]:
    folder = workspace.settings.exports / FOLDER
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def times(workspace: Workspace) -> dict[str, int]:
    folder = workspace.settings.exports / FOLDER
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def names(workspace: Workspace) -> dict[str, str]:
    return {row["title"]: row["file"] for row in workspace.rows("exports.playbooks")}


def page_of(workspace: Workspace, title: str = "f3.py") -> Path:
    return workspace.settings.exports / FOLDER / names(workspace)[title]


def pages_equal_table(workspace: Workspace) -> bool:
    ours = {row["file"]: row["page"].encode() for row in workspace.rows("exports.playbooks")}
    return {name: page for name, page in page_files(workspace).items() if name in ours} == ours


def write_into(path: Path) -> None:
    """Writes into a file without replacing it, which its folder does not show."""
    with path.open("r+b") as file:
        file.write(b"!")


def vouch_for_all(workspace: Workspace) -> None:
    """Makes all pages count as whole, whenever somebody wrote into them."""
    stamps = workspace.settings.warehouse / STAMPS
    held = json.loads(stamps.read_bytes())
    held[FOLDER][0][0] = 2**62
    stamps.write_text(json.dumps(held))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pages")
    workspace = Workspace(root)
    workspace.write(STREAM, FILLER)
    workspace.passed()
    return root


@pytest.fixture
def small(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    return entered(published, tmp_path, monkeypatch)


def test_an_unchanged_run_touches_no_page(small: Workspace) -> None:
    """Nor the folder, whose times show the next run that nothing came or went."""
    before, versions = times(small), small.versions()
    folder = (small.settings.exports / FOLDER).stat().st_ctime_ns
    outcome = small.passed()
    assert statuses(outcome)["extract-playbooks"] == "unchanged"
    assert (times(small), small.versions()) == (before, versions)
    assert (small.settings.exports / FOLDER).stat().st_ctime_ns == folder


def test_only_changed_pages_are_written_and_stale_ones_removed(small: Workspace) -> None:
    before = times(small)
    small.write(STREAM, [review("f3", "cycle", "late", 59), review("new", "accept", "new")])
    outcome = small.passed()
    receipt = next(r for r in outcome.receipts if r["stage"] == "extract-playbooks")
    assert (receipt["record_counts"]["in"], receipt["record_counts"]["out"]) == (62, 13)
    after, ours = times(small), names(small)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {ours["f3.py"], ours["new.py"], "README.md", "SHA256SUMS"}
    rows = [row for row in (small.data / STREAM).read_bytes().splitlines() if b"late" not in row and b'"new' not in row]
    (small.data / STREAM).write_bytes(b"".join(row + b"\n" for row in rows))
    small.passed(accept_rewrite=True)
    assert set(times(small)) == set(before)


def test_pages_are_what_the_manifest_says(small: Workspace) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=small.settings.exports / FOLDER, capture_output=True, check=True
    )
    assert len(done.stdout.splitlines()) == 13
    file = small.warehouse.snapshot().files[page_folder.MANIFEST]
    assert (file.rows, file.sha256) == (12, file_sha256(small.settings.exports / page_folder.MANIFEST))


def test_the_same_input_gives_the_same_pages_whenever_it_landed(small: Workspace, second: Workspace) -> None:
    shutil.copytree(small.data, second.data, dirs_exist_ok=True)
    second.passed(recorded_at=None)
    assert page_files(small) == page_files(second)


REVIEWS = st.builds(
    lambda task, verdict, text, second: review(f"t{task}", verdict, text, second, run_id=f"r{second}"),
    st.integers(0, 4),
    st.sampled_from(("accept", "cycle", "reject", "")),
    st.sampled_from(("Verify a", "- verify A.\nCheck b", "Check b\nEnsure c", "Confirm\n# d", "nothing")),
    st.integers(0, 40),
)


# A run takes seconds: no example is tried twice, and none is shrunk.
@settings(max_examples=2, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(batches=st.lists(st.lists(REVIEWS, min_size=1, max_size=4), min_size=2, max_size=3))
def test_a_mended_folder_is_as_one_made_at_once(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[dict[str, Any]]]
) -> None:
    root = tmp_path_factory.mktemp("property")
    grown, whole = Workspace(root / "grown"), Workspace(root / "whole")
    for rows in (FILLER, *batches):
        for workspace in (grown, whole):
            workspace.write(STREAM, rows)
        grown.passed()
    whole.passed()
    assert grown.files() == whole.files()
    assert grown.hashes() == whole.hashes()


def test_reasons_that_change_alone_change_their_pages(small: Workspace, tmp_path: Path) -> None:
    small.write(STREAM, [review("f3", "cycle", "so so", 59)])
    small.passed()
    before = page_files(small)
    other = copied_sql(tmp_path / "sql")
    edit(other / "2_scored/observer_reviews.sql", "['observer_cycle']", "['observer_went_round']")
    outcome = small.passed(sql=other)
    assert statuses(outcome)["extract-playbooks"] == "ran"
    after = page_files(small)
    assert {name for name in after if after[name] != before[name]} == {names(small)["f3.py"], "SHA256SUMS"}
    assert b"observer\\_went\\_round" in after[names(small)["f3.py"]]


HARM = {
    "edited": lambda path: path.write_bytes(path.read_bytes() + b"more\n"),
    "edited unseen": lambda path: path.write_bytes(path.read_bytes()[:-2] + b"X\n"),
    "removed": lambda path: path.unlink(),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe"),
    "a link": lambda path: (path.unlink(), path.symlink_to("README.md")),
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("which", ["page", "README.md", "SHA256SUMS"])
def test_what_was_tampered_with_is_found_and_put_back(small: Workspace, harm: str, which: str) -> None:
    before = page_files(small)
    name = names(small)["f3.py"] if which == "page" else which
    HARM[harm](small.settings.exports / FOLDER / name)
    if harm == "edited unseen":
        (small.settings.warehouse / STAMPS).unlink()
    if (which, harm) == ("SHA256SUMS", "a link"):
        return
    found = examine(small.settings.warehouse, small.settings.exports)
    assert found.broken and f"{FOLDER}/{name}" in found.attention[0]
    assert found.next_step.startswith(f"distill restore --to latest --warehouse {small.settings.warehouse} --exports ")
    with opened(small.settings, Silent()) as run:
        assert run.before is not None
        assert any(f"{FOLDER}/{name}" in text for text in files_equal_tables(Context(run, run.before, full=False)))
    done = restore(small.settings, "latest", Silent())
    assert [step.name for step in done.steps if step.changes] == [page_folder.MANIFEST]
    assert page_files(small) == before
    assert not examine(small.settings.warehouse, small.settings.exports).broken


def test_a_run_puts_back_what_was_tampered_with(small: Workspace) -> None:
    before = page_files(small)
    page_of(small).write_bytes(b"mine")
    assert statuses(small.passed())["extract-playbooks"] == "ran"
    assert page_files(small) == before


def test_a_command_that_looks_at_no_file_vouches_for_none(small: Workspace) -> None:
    """`score` publishes what stands in exports/ as it was: the next run must still see that somebody wrote there."""
    before = small.files()
    page_of(small).write_bytes(b"mine")
    with (small.settings.exports / "rag/playbooks.jsonl").open("ab") as file:
        file.write(b'{"content": "never gated"}\n')
    small.passed("score")
    assert examine(small.settings.warehouse, small.settings.exports).broken
    after = statuses(small.passed())
    assert (after["export-rag"], after["extract-playbooks"], after["export-sft"]) == ("ran", "ran", "unchanged")
    assert small.files() == before


def test_of_many_pages_every_run_looks_at_others(small: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until all were looked at; what the folder itself shows is found at once, and `health` looks at all of them."""
    monkeypatch.setattr("pipeline.export.page_folder._PART", 400)
    folder = small.settings.exports / FOLDER
    small.passed()
    before = page_files(small)
    for name in sorted(names(small).values())[::5]:
        write_into(folder / name)
        assert examine(small.settings.warehouse, small.settings.exports).broken
        runs = 1
        while statuses(small.passed())["extract-playbooks"] == "unchanged":
            runs += 1
            assert runs <= 6
        assert page_files(small) == before
        (folder / name).unlink()
        assert statuses(small.passed())["extract-playbooks"] == "ran"
        assert page_files(small) == before


def test_pages_of_another_folder_say_nothing_of_these(small: Workspace) -> None:
    """Nor do those of the same name: what is known of a folder counts for that folder."""
    before, folder = page_files(small), small.settings.exports / FOLDER
    small.passed()
    shutil.copytree(folder, small.root / "copy")
    for one in (folder, small.root / "copy"):
        write_into(one / names(small)["f3.py"])
    time.sleep(0.1)
    small.passed(exports=small.root / "elsewhere")
    assert examine(small.settings.warehouse, small.settings.exports).broken
    assert statuses(small.passed())["extract-playbooks"] == "ran"
    assert page_files(small) == before
    shutil.rmtree(folder)
    (small.root / "copy").rename(folder)
    assert statuses(small.passed())["extract-playbooks"] == "ran"
    assert page_files(small) == before


def test_a_run_that_writes_pages_vouches_for_no_other(small: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that somebody wrote into before is found by the run that looks at it, and by `health` at any time."""
    monkeypatch.setattr("pipeline.export.page_folder._PART", 200)
    small.passed()
    for number, name in enumerate(sorted(names(small).values())[::4]):
        write_into(small.settings.exports / FOLDER / name)
        small.write(STREAM, [review(f"new {number}", "accept", f"new {number}")])
        small.passed()
        runs = 0
        while not pages_equal_table(small):
            assert examine(small.settings.warehouse, small.settings.exports).broken
            runs += 1
            assert runs <= 14
            small.passed()
        assert not examine(small.settings.warehouse, small.settings.exports).broken


def test_a_page_that_is_edited_while_a_run_mends_others_is_found(small: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """That run read all of them, but before: it vouches for none that changed since."""
    small.passed()
    write_into(page_of(small, "f5.py"))
    small.write(STREAM, [review("new", "accept", "new")])
    read_again = pages.read_again

    def meddled(*arguments: Any) -> None:
        read_again(*arguments)
        write_into(page_of(small, "f3.py"))
        time.sleep(0.1)

    with monkeypatch.context() as patch:
        patch.setattr(pages, "read_again", meddled)
        small.passed()
    assert not pages_equal_table(small)
    assert examine(small.settings.warehouse, small.settings.exports).broken
    small.passed()
    assert pages_equal_table(small)


def test_pages_of_many_runs_are_not_read_again(small: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that runs moved into place are known by when; after some such runs one looks at all pages, and counts anew."""
    monkeypatch.setattr("pipeline.export.page_folder.MANY", 3)
    small.passed()
    read, kept = [], []
    on_disk = manifest.on_disk

    def watched(folder: Path, names: Iterable[str]) -> dict[str, str]:
        read.extend(names)
        return on_disk(folder, names)

    monkeypatch.setattr(manifest, "on_disk", watched)
    for number in range(5):
        small.write(STREAM, [review(f"new {number}", "accept", f"new {number}")])
        time.sleep(0.1)
        small.passed()
        kept.append(len(json.loads((small.settings.warehouse / STAMPS).read_bytes())[FOLDER][0]) - 7)
        assert pages_equal_table(small)
    assert not read
    assert kept == [2, 4, 6, 2, 4]


def test_a_restore_reads_every_page(small: Workspace) -> None:
    """Whatever is known of them: it may be why somebody restores."""
    before, page = page_files(small), page_of(small)
    small.passed()
    page.write_bytes(page.read_bytes()[:-2] + b"X\n")
    vouch_for_all(small)
    assert [step.name for step in restore(small.settings, "latest", Silent()).steps if step.changes] == [page_folder.MANIFEST]
    assert page_files(small) == before


def test_the_first_run_after_a_power_cut_reads_all_pages(small: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page may have lost its end then, with no time to show it."""
    before = page_files(small)
    small.passed()
    page_of(small).write_bytes(b"")
    vouch_for_all(small)
    assert statuses(small.passed())["extract-playbooks"] == "unchanged"
    monkeypatch.setattr("pipeline.export.page_folder._boot", lambda: 1)
    assert statuses(small.passed())["extract-playbooks"] == "ran"
    assert page_files(small) == before


def test_files_of_others_are_left_alone(small: Workspace) -> None:
    folder = small.settings.exports / FOLDER
    (folder / "notes.md").write_bytes(b"mine")
    (folder / "sub").mkdir()
    (folder / "sub/x.md").write_bytes(b"mine, too")
    oldest = small.warehouse.snapshot().run_id
    small.write(STREAM, [review("new", "accept", "new")])
    small.passed()
    edited = page_of(small, "new.py")
    edited.write_bytes(b"mine by now")
    restore(small.settings, oldest, Silent())
    assert (folder / "notes.md").read_bytes() == b"mine"
    assert (folder / "sub/x.md").read_bytes() == b"mine, too"
    assert edited.read_bytes() == b"mine by now"


def test_every_state_is_put_back_to_the_byte(small: Workspace) -> None:
    states = {small.warehouse.snapshot().run_id: page_files(small)}
    for rows in (
        [review("f1", "reject", "x")],
        [review("g", "accept", "Verify g")],
        [review("f1", "accept", "Verify filler 2", 0)],
    ):
        small.write(STREAM, rows)
        small.passed()
        states[small.warehouse.snapshot().run_id] = page_files(small)
    assert len({tuple(sorted(state.items())) for state in states.values()}) > 2
    for run_id, state in [*states.items(), *reversed(states.items())]:
        restore(small.settings, run_id, Silent())
        assert page_files(small) == state


def test_a_state_without_pages_takes_them_away(workspace: Workspace) -> None:
    workspace.write(STREAM, FILLER)
    workspace.passed("land")
    before = workspace.warehouse.snapshot().run_id
    workspace.passed()
    (workspace.settings.exports / FOLDER / "notes.md").write_bytes(b"mine")
    restore(workspace.settings, before, Silent())
    assert page_files(workspace) == {"notes.md": b"mine"}


def test_another_folder_gets_all_pages(small: Workspace) -> None:
    other = small.root / "elsewhere"
    small.passed(exports=other)
    assert {path.name: path.read_bytes() for path in (other / FOLDER).iterdir()} == page_files(small)


def test_a_folder_where_a_page_belongs_stops_the_run_before_it_counts(small: Workspace) -> None:
    path = page_of(small)
    path.unlink()
    path.mkdir()
    published = len(small.warehouse.snapshots())
    failure = small.run().failure
    assert isinstance(failure, WarehouseError) and str(path) in str(failure)
    assert len(small.warehouse.snapshots()) == published
    path.rmdir()
    small.passed()
    assert path.is_file()


def test_export_rag_alone_names_playbooks_that_the_next_run_makes(small: Workspace) -> None:
    before = page_files(small)
    small.write(STREAM, [review("new", "accept", "new")])
    for command in ("land", "build-evidence", "score", "export-rag"):
        small.passed(command)
    assert page_files(small) == before
    small.passed("extract-playbooks")
    assert {row["playbook_id"] for row in small.rows("exports.rag")} == {row["id"] for row in small.rows("exports.playbooks")}
    assert names(small)["new.py"] in page_files(small)
