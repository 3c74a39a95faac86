"""`distill release-freeze`: each gate can fail alone, a release is whole or not there, and what is frozen comes back."""

import json
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import acceptance, models
from pipeline.errors import LockedError, UsageError, WarehouseError
from pipeline.release import Frozen, freeze
from pipeline.reports.receipts import validated
from pipeline.store.delta import locked
from pipeline.store.snapshots import resolve
from pipeline.upkeep.vacuuming import vacuum
from tests.conftest import Silent, Workspace
from tests.support.forked import borrowed, refused, run_in
from tests.support.repositories import PASSING, commit, entered, git, make_repository
from tests.support.rows import copied_sql, edit
from tests.support.states import STREAM, new_files, put_back, rows_of, state_of

GATES = ["git_clean", "tests", "versions", "acceptance", "audit_full", "name_free"]
FAILING = f'"{sys.executable}" -c "raise SystemExit(3)"'
SCORER = "2_scored/observer_reviews.sql"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("published"))


@pytest.fixture
def ready(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    return entered(published, tmp_path, monkeypatch)


@pytest.fixture
def holding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The invariants have tests of their own, and take their time; here some tests run them for real."""
    monkeypatch.setattr(acceptance, "examine", lambda sql: [])


def frozen(workspace: Workspace, name: str = "v1", tests: str | None = PASSING, **changes: Any) -> Frozen:
    done = freeze(replace(workspace.settings, **changes), name, Silent(), tests=tests)
    written = json.loads((workspace.settings.reports / "release-manifest.json").read_text())
    assert validated("release_manifest.v1", written) == done.manifest
    page = (workspace.settings.reports / "release-freeze.md").read_text()
    assert page.startswith(f"# Release {name}: {'frozen' if done.passed else 'not frozen'}\n")
    assert len(workspace.rows("ops.releases")) == sum(len(s.releases) for s in workspace.warehouse.snapshots())
    return done


def verdicts(done: Frozen) -> dict[str, str]:
    return {gate["name"]: gate["verdict"] for gate in done.manifest["gates"]}


def findings(done: Frozen) -> str:
    return " ".join(text for gate in done.manifest["gates"] for text in gate["findings"])


def only(workspace: Workspace, gate: str, *texts: str, not_run: tuple[str, ...] = (), **options: Any) -> None:
    """Holds that exactly this gate fails, for these reasons, and that nothing is released."""
    before = workspace.rows("ops.releases")
    done = frozen(workspace, **options)
    others = {name: "not_run" if name in not_run else "passed" for name in GATES}
    assert verdicts(done) == others | {gate: "failed"}, findings(done)
    assert all(text in findings(done) for text in texts), findings(done)
    assert not done.passed and done.tag is None and workspace.rows("ops.releases") == before


@pytest.mark.usefixtures("holding")
def test_a_release(ready: Workspace) -> None:
    done = frozen(ready)
    assert verdicts(done) == dict.fromkeys(GATES, "passed") and done.passed and not done.notes
    snapshot, manifest = ready.warehouse.snapshot(), done.manifest
    assert snapshot.releases == ("v1",) and resolve([snapshot], "v1") is snapshot
    (row,) = ready.rows("ops.releases")
    assert (row["name"], row["snapshot"], row["run_id"]) == ("v1", 1, snapshot.run_id)
    assert json.loads(row["manifest"]) == manifest
    head = git(ready, "rev-parse", "HEAD")
    assert (manifest["git_head"], manifest["run_hash"], manifest["made_by"]) == (head, snapshot.run_hash, snapshot.run_id)
    assert manifest["datasets"] == {name: len(ready.rows(f"exports.{name}")) for name in ("rag", "sft", "preference")}
    assert {t["name"]: t["delta_version"] for t in manifest["tables"]} == {
        name: held.delta_version for name, held in snapshot.tables.items()
    }
    assert [file["sha256"] for file in manifest["files"]] == [file.sha256 for _, file in sorted(snapshot.files.items())]
    held = models.load(ready.settings.sql_folders()).models
    assert {m["name"]: (m["version"], m["fingerprint"]) for m in manifest["models"]} == {
        name: (model.version, model.fingerprint) for name, model in held.items()
    }
    (audited,) = ready.rows("ops.audit_baselines")
    assert manifest["baseline"]["row_sha256"] == audited["row_sha256"] and audited["passed"]
    assert "42" in (ready.settings.reports / "release-tests.log").read_text()
    assert done.tag is not None and done.tag.startswith("git tag -a v1 -m ") and done.tag.endswith(head)
    assert git(ready, "tag", "--list") == ""


@pytest.mark.usefixtures("holding")
def test_what_is_frozen_comes_back(ready: Workspace) -> None:
    """After other runs, and a vacuum that takes everything else."""
    assert frozen(ready).passed
    before = state_of(ready)
    for first in (12, 24):
        ready.write(STREAM, rows_of(first, first + 12))
        ready.passed()
    assert [s.snapshot for s in vacuum(ready.settings, 1, 0, Silent()).kept] == [1, 3]
    assert put_back(ready, "v1").target.snapshot == 1
    assert state_of(ready).same(before)
    again = frozen(ready, "v1-again")
    assert again.passed and again.manifest["made_by"] == before.run_id and again.manifest["snapshot"] == 4


# --- the six gates ----------------------------------------------------------------------------------------

COSTLY = ("tests", "acceptance", "audit_full")
UNCLEAN: dict[str, tuple[Callable[[Workspace], object], str]] = {
    "a new file": (lambda w: (w.root / "new ümlaut.py").touch(), "not committed: new ümlaut.py; commit them"),
    "a model changed": (lambda w: edit(w.root / "sql" / SCORER, "from", "  from"), f"not committed: sql/{SCORER}"),
    "added only": (lambda w: ((w.root / "new.py").touch(), git(w, "add", "new.py")), "not committed: new.py"),
    "a tracked output": (
        lambda w: (git(w, "add", "--force", "exports"), commit(w), (w.root / "exports/rag/playbooks.jsonl").unlink()),
        "not committed: exports/rag/playbooks.jsonl",
    ),
    "no repository": (lambda w: shutil.rmtree(w.root / ".git"), "is in no git repository"),
    "no commit": (lambda w: (shutil.rmtree(w.root / ".git"), git(w, "init")), "nothing was committed here yet"),
}


@pytest.mark.usefixtures("holding")
@pytest.mark.parametrize("case", UNCLEAN)
def test_git_is_not_clean(ready: Workspace, case: str) -> None:
    change, text = UNCLEAN[case]
    change(ready)
    only(ready, "git_clean", text, not_run=COSTLY)


@pytest.mark.usefixtures("holding")
def test_the_repository_of_the_models_counts(ready: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Not the one where the command is typed, and what distill itself writes does not count."""
    (ready.root / ".gitignore").unlink()
    commit(ready)
    other = Workspace(tmp_path_factory.mktemp("other"))
    copied_sql(other.root / "models")
    git(other, "init", "--quiet")
    only(ready, "git_clean", "nothing was committed here yet", not_run=COSTLY, sql=other.root / "models")
    commit(other)
    (other.root / "more").touch()
    only(ready, "git_clean", f"{other.root}: not committed: more", not_run=COSTLY, sql=other.root / "models")
    (other.root / "more").unlink()
    done = frozen(ready, sql=other.root / "models")
    assert done.passed and done.manifest["git_head"] == git(other, "rev-parse", "HEAD") != git(ready, "rev-parse", "HEAD")
    assert done.tag is not None and done.tag.startswith(f"git -C {other.root} tag -a v1")


@pytest.mark.usefixtures("holding")
@pytest.mark.parametrize(
    ("tests", "text"),
    [
        ("touch new.py", "not committed: new.py"),
        ("git -c user.name=t -c user.email=t@t commit -q --allow-empty -m x", "was checked out when the gates began"),
    ],
)
def test_tests_that_change_the_repository(ready: Workspace, tests: str, text: str) -> None:
    only(ready, "git_clean", text, tests=tests)


@pytest.mark.usefixtures("holding")
def test_tests_fail(ready: Workspace) -> None:
    log, rest = ready.settings.reports / "release-tests.log", ("acceptance", "audit_full")
    only(ready, "tests", "ended with exit code 3", str(log), not_run=rest, tests=FAILING)
    only(ready, "tests", "ended by signal 9", not_run=rest, tests="kill -9 $$")
    only(ready, "tests", "ended with exit code 127", not_run=rest, tests="no-such-command")
    assert "no-such-command" in log.read_text()
    with pytest.raises(UsageError, match="without tests"):
        frozen(ready, tests=" ")


@pytest.mark.usefixtures("holding")
def test_the_tests_of_a_makefile(ready: Workspace) -> None:
    """Where none is named; and not where make would run nothing and end well."""
    rest = ("acceptance", "audit_full")
    only(ready, "tests", "has no Makefile", "--tests", not_run=rest, tests=None)
    (ready.root / "Makefile").write_text("all:\n\ttrue\n")
    commit(ready)
    only(ready, "tests", "can't be made", not_run=rest, tests=None)
    (ready.root / "Makefile").write_text("test:\n\techo tested > reports/tested\n")
    (ready.root / "test").touch()
    commit(ready)
    only(ready, "tests", "would run nothing", not_run=rest, tests=None)
    (ready.root / "test").unlink()
    commit(ready)
    done = frozen(ready, tests=None)
    assert done.passed and done.manifest["tests_command"] == "make test" and (ready.settings.reports / "tested").exists()


def damaged(workspace: Workspace) -> Path:
    (path, *_) = new_files(workspace, "scored.runs", "latest", "latest") or sorted(
        (workspace.settings.warehouse / "scored/runs").glob("*.parquet")
    )
    path.write_bytes(path.read_bytes()[:-9])
    return path


@pytest.mark.usefixtures("holding")
def test_a_version_does_not_resolve(ready: Workspace) -> None:
    path, rest = damaged(ready), ("acceptance", "audit_full")
    only(ready, "versions", path.name, not_run=rest)
    path.unlink()
    only(ready, "versions", path.name, not_run=rest)


@pytest.mark.usefixtures("holding")
def test_a_receipt_can_not_be_read(ready: Workspace) -> None:
    (path,) = (ready.settings.warehouse / "ops/receipts").glob("*.parquet")
    path.unlink()
    only(ready, "versions", path.name, not_run=("acceptance", "audit_full"))


@pytest.mark.usefixtures("holding")
def test_models_that_are_not_locked_or_did_not_make_it(ready: Workspace) -> None:
    sql, rest = ready.root / "sql", ("acceptance", "audit_full")
    edit(sql / SCORER, "observer_cycle", "observer_went_round", raised=False)
    commit(ready)
    only(ready, "versions", "its SQL changed, but its version is still 1", not_run=rest, sql=sql)
    edit(sql / SCORER, "-- version: 1", "-- version: 2", raised=False)
    models.write_lock(sql)
    commit(ready)
    only(ready, "versions", "was made by other models of score", not_run=rest, sql=sql)
    ready.passed(sql=sql)
    assert frozen(ready, sql=sql).passed


def test_an_invariant_does_not_hold(ready: Workspace) -> None:
    """For real: by models that are locked, and made the state."""
    sql = ready.root / "sql"
    edit(sql / SCORER, "score('rejected', ['observer_reject'])", "score('needs_human_review', ['observer_unsure'])")
    models.write_lock(sql)
    commit(ready)
    ready.passed(sql=sql)
    only(ready, "acceptance", "11 verdicts_decided", not_run=("audit_full",), sql=sql)


@pytest.mark.usefixtures("holding")
def test_the_audit_fails(ready: Workspace) -> None:
    path = ready.settings.exports / "rag/playbooks.jsonl"
    path.write_bytes(path.read_bytes()[:-2])
    only(ready, "audit_full", "13 files_equal_tables", str(path))
    assert [row["passed"] for row in ready.rows("ops.audit_baselines")] == [False]
    put_back(ready, "latest")
    assert frozen(ready).passed


@pytest.mark.usefixtures("holding")
def test_the_name_is_taken(ready: Workspace) -> None:
    assert frozen(ready).passed
    only(ready, "name_free", "v1 is already the release of snapshot 1", not_run=COSTLY)
    git(ready, "tag", "v2")
    only(ready, "name_free", "already has a git tag v2", not_run=COSTLY, name="v2")
    only(ready, "name_free", "already has a git tag late", name="late", tests="git tag late")
    assert frozen(ready, "V-1.x_y").passed
    assert ready.warehouse.snapshot().releases == ("v1", "V-1.x_y")


@pytest.mark.parametrize(
    "name",
    [
        *("", "-v1", ".v1", "v1.", "v..1", "v 1", "v/1", "v1\n", "ü", "v1.lock", "a" * 65),
        *("latest", "Last-Good", "HEAD", "2026-05-01", "20260501", "20260501T000000-a1b2c3", "1 run ago"),
    ],
)
def test_no_name_for_a_release(ready: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match=r"is no simple name|already means something"):
        frozen(ready, name)
    assert not (ready.settings.reports / "release-manifest.json").exists()


# --- what else may come in between ------------------------------------------------------------------------


@pytest.mark.usefixtures("holding")
def test_a_run_is_published_meanwhile(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ready.environment().items():
        monkeypatch.setenv(name, value)
    run_all = f'"{sys.executable}" -m pipeline run-all'
    only(ready, "versions", "published snapshot 2 while the gates ran", not_run=("acceptance", "audit_full"), tests=run_all)
    assert frozen(ready).manifest["snapshot"] == 2


@pytest.mark.usefixtures("holding")
def test_no_warehouse_a_locked_one_and_an_empty_one(ready: Workspace, tmp_path: Path) -> None:
    with locked(ready.settings.warehouse), pytest.raises(LockedError):
        frozen(ready)
    with pytest.raises(WarehouseError, match="there is no warehouse"):
        frozen(ready, warehouse=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="nothing was published"):
        frozen(ready, warehouse=tmp_path / "empty")


@pytest.mark.usefixtures("holding")
def test_a_report_that_can_not_be_written(ready: Workspace) -> None:
    """The release counts: its manifest is in the table."""
    (ready.settings.reports / "release-freeze.md").mkdir()
    done = freeze(ready.settings, "v1", Silent(), tests=PASSING)
    assert done.passed and "the manifest is in ops.releases" in done.notes[0]
    assert ready.warehouse.snapshot().releases == ("v1",)


# --- the command ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("holding")
def test_the_lock_is_taken_after_the_tests(ready: Workspace) -> None:
    """The tests are through, and another command is at work by then: it says so, and reports what it knows."""
    began, go = (ready.settings.reports / name for name in ("began", "go"))
    tests = f"touch {began}; while [ ! -e {go} ]; do sleep 0.05; done"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(freeze, ready.settings, "v1", Silent(), tests=tests)
        while not began.exists():
            assert not running.done(), running.result()
        with locked(ready.settings.warehouse):
            go.touch()
            with pytest.raises(LockedError):
                running.result()
    document = json.loads((ready.settings.reports / "release-manifest.json").read_text())
    assert [gate["verdict"] for gate in document["gates"]] == ["passed", "passed", *["not_run"] * 3, "passed"]
    assert not document["frozen"] and ready.rows("ops.releases") == []


def test_wrong_usage(ready: Workspace) -> None:
    with borrowed() as distill:
        refused(run_in(distill, ready, "release-freeze", "v 1"), 2, "is no simple name")
        refused(run_in(distill, ready, "release-freeze"), 2, "Missing argument 'NAME'")
        refused(run_in(distill, ready, "release-freeze", "v1", "--tests", ""), 2, "without tests")
        shutil.rmtree(ready.settings.warehouse)
        refused(run_in(distill, ready, "release-freeze", "v1", "--tests", PASSING), 3, "there is no warehouse")
