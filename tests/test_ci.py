"""The workflow that teams copy: its commands run here in their order, on a fresh machine each time, as its conditions say.

Actions are stood in for by folders: what one keeps or uploads is copied there, by the paths that the file names.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import DeltaTable

from pipeline.reader import Warehouse
from tests.support.rows import edit

ROOT = Path(__file__).parent.parent
FILE, PAGE = ROOT / "docs/ci/distillery.yml", ROOT / "docs/ci.md"
WORKFLOW: dict[Any, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["refine"]["steps"]
# What a checkout has that the workflow needs.
CHECKED_OUT = ("Makefile", "pyproject.toml", "requirements.lock", "pipeline", "sql", "data")
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")


@dataclass
class Runner:
    """A CI service: a fresh folder for every job, caches and artifacts beside them.

    done: the names of the steps that ran, with whether they ended well
    """

    root: Path
    jobs: int = 0
    done: dict[str, bool] = field(default_factory=dict)
    output: str = ""

    @property
    def home(self) -> Path:
        return self.root / f"job-{self.jobs}"

    def artifact(self, name: str) -> Path:
        return self.root / "artifacts" / str(self.jobs) / name

    def job(self, *, start_anew: bool = False, sql: Path | None = None) -> bool:
        """Runs the job on what was committed; sql: in the place of ours. Returns whether it is green."""
        self.jobs, self.done, self.output = self.jobs + 1, {}, ""
        said = {"inputs.start_anew": str(start_anew).lower(), "github.run_id": str(self.jobs), "github.run_attempt": "1"}
        for step in STEPS:
            assert step.get("if") in (None, "always()"), "the runner of this test knows no other condition"
            if all(self.done.values()) or step.get("if") == "always()":
                self.done[step["name"]] = self._step(_filled(step, said), sql)
        return all(self.done.values())

    def _step(self, step: dict[str, Any], sql: Path | None) -> bool:
        if command := step.get("run"):
            inherited = {name: value for name, value in os.environ.items() if not re.match("DISTILL_|MAKE|MFLAGS", name)}
            # The environment of this test has our own folder of modules; the job's is the one that was checked out.
            env = inherited | {"PYTHONPATH": str(self.home)} | step.get("env", {})
            ran = subprocess.run([*SHELL, command], cwd=self.home, env=env, capture_output=True, text=True, check=False)
            self.output += ran.stdout + ran.stderr
            return ran.returncode == 0
        action, given = step["uses"].split("@")[0], step.get("with", {})
        paths = given.get("path", "").split()
        match action:
            case "actions/checkout":
                self._check_out(sql)
            case "actions/setup-python":
                self._set_up_python()
            case "actions/cache/restore":
                assert not (self.root / "caches" / given["key"]).exists()
                kept = (self.root / "caches").glob(f"{given['restore-keys']}*")
                for newest in sorted(kept, key=lambda folder: int(folder.name.split("-")[1]))[-1:]:
                    shutil.copytree(newest, self.home, dirs_exist_ok=True)
            case "actions/cache/save":
                self._copy(paths, self.root / "caches" / given["key"])
            case "actions/upload-artifact":
                self._copy(paths, self.artifact(given["name"]))
                return given["if-no-files-found"] != "error" or any(self.artifact(given["name"]).rglob("*.jsonl"))
            case _:
                raise AssertionError(f"nothing stands in for {action}")
        return True

    def _check_out(self, sql: Path | None) -> None:
        self.home.mkdir(parents=True)
        for name in CHECKED_OUT:
            source = sql if name == "sql" and sql is not None else ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.home / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, self.home / name)

    def _set_up_python(self) -> None:
        """The environment as `make setup` would build it, were there a network, with a `distill` that remembers acceptance."""
        tools = self.home / ".venv/bin"
        tools.mkdir(parents=True)
        (tools / "python").symlink_to(sys.executable)
        script = f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{ROOT}" exec "{sys.executable}" -m tests.support.remembering "$@"\n'
        (tools / "distill").write_text(script, encoding="utf-8")
        (tools / "distill").chmod(0o755)
        (self.home / ".venv/.ready").touch()

    def _copy(self, paths: list[str], target: Path) -> None:
        for path in paths:
            if (self.home / path).exists():
                shutil.copytree(self.home / path, target / path)


def _filled(step: dict[str, Any], said: dict[str, str]) -> dict[str, Any]:
    """Fills in the expressions of a step, which may stand in `env` and `with` alone: never in a command."""
    assert "${{" not in step.get("run", "")
    filled = {
        part: {
            name: re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda found: said[found[1]], value) if isinstance(value, str) else value
            for name, value in step.get(part, {}).items()
        }
        for part in ("env", "with")
    }
    return step | filled


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service after the first job."""
    runner = Runner(tmp_path_factory.mktemp("started"))
    assert runner.job(start_anew=True), runner.output
    assert list(runner.done) == [step["name"] for step in STEPS]
    return runner.root


@pytest.fixture
def runner(started: Path, tmp_path: Path) -> Runner:
    for name in ("caches", "artifacts"):
        shutil.copytree(started / name, tmp_path / name)
    return Runner(tmp_path, jobs=1)


def published(runner: Runner) -> bool:
    return (runner.artifact("corpora") / "exports/rag/playbooks.jsonl").exists()


def snapshots(folder: Path) -> list[bool | None]:
    """Returns what the audit said of every state that a kept warehouse knows."""
    return [snapshot.audit_passed for snapshot in Warehouse(folder / "warehouse").snapshots()]


def test_it_runs_again_with_the_warehouse_kept(runner: Runner) -> None:
    before = (runner.artifact("corpora") / "exports/rag/playbooks.jsonl").read_bytes()
    assert runner.job(), runner.output
    assert "unchanged" in runner.output and "16/16 hold" in runner.output
    assert snapshots(runner.home) == snapshots(runner.artifact("warehouse")) == [True, True]
    assert (runner.artifact("corpora") / "exports/rag/playbooks.jsonl").read_bytes() == before
    assert len((runner.artifact("reports") / "reports/audit-baselines.jsonl").read_text().splitlines()) == 2
    assert len(list((runner.root / "caches").iterdir())) == 2


def test_it_does_not_lose_the_history(runner: Runner) -> None:
    shutil.rmtree(runner.root / "caches")
    assert not runner.job()
    assert "No warehouse was kept" in runner.output and "Run" not in runner.done
    assert not published(runner) and not (runner.root / "caches").exists()


def test_a_leak_stops_it_before_anything_is_published(runner: Runner) -> None:
    """A gate that lets rejected records through, as somebody might commit it."""
    sql = runner.root / "sql"
    shutil.copytree(ROOT / "sql", sql)
    gates = sql / "3_exports/rag_gates.sql"
    edit(gates, "'unsafe_rag_category'", "cast(null as varchar)")
    assert not runner.job(sql=sql)
    failed = [name for name, good in runner.done.items() if not good]
    assert failed == ["Run"] and "Audit" not in runner.done, runner.output
    assert not published(runner) and "nothing was published" in runner.output
    assert snapshots(runner.home) == [True]
    assert any((runner.artifact("reports") / "reports").glob("*/summary.md"))
    assert (runner.root / "caches/distillery-2-1/warehouse").is_dir()


def test_a_warehouse_that_somebody_changed_stops_it_too(runner: Runner) -> None:
    """The run finds it, before anything is made of it, and names the way back."""
    (kept,) = (runner.root / "caches").iterdir()
    (name, *_) = DeltaTable(str(kept / "warehouse/scored/runs")).file_uris()
    held = pq.read_table(name)
    rows = held.to_pylist()
    rows[0] |= {"category": "accepted" if rows[0]["category"] == "rejected" else "rejected", "reasons": ["by hand"]}
    pq.write_table(pa.Table.from_pylist(rows, schema=held.schema), name)
    assert not runner.job()
    assert [name for name, good in runner.done.items() if not good] == ["Run"], runner.output
    assert "scored.runs at version" in runner.output and "distill restore" in runner.output and not published(runner)
    assert snapshots(runner.root / "caches/distillery-2-1") == [True]


# --- the file itself --------------------------------------------------------------------------------------


def test_when_and_how_it_runs() -> None:
    on = WORKFLOW[True]  # YAML 1.1 reads `on` as true, and GitHub does not
    assert on["push"]["branches"] == ["main"] and len(on["schedule"]) == 1 and "workflow_dispatch" in on
    assert WORKFLOW["concurrency"] == {"group": "distillery-warehouse", "cancel-in-progress": False}
    assert WORKFLOW["permissions"] == {"contents": "read"} and WORKFLOW["defaults"]["run"]["shell"] == "bash"
    assert "secrets" not in FILE.read_text(encoding="utf-8")
    actions = [step["uses"] for step in STEPS if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w/-]+@v\d+", action) for action in actions)


def test_what_is_kept_is_what_is_brought_back() -> None:
    restore, save = (step["with"] for step in STEPS if "cache" in step.get("uses", ""))
    assert (restore["path"], restore["key"]) == (save["path"], save["key"])
    assert save["key"].startswith(restore["restore-keys"]) and "github.run_id" in save["key"]


def test_only_publishing_depends_on_the_gates() -> None:
    """What comes after the audit without a condition runs only if all before it went well."""
    names = [step["name"] for step in STEPS]
    after = STEPS[names.index("Audit") + 1 :]
    assert [step["name"] for step in after if "if" not in step] == ["Publish the corpora"]
    assert [step["name"] for step in STEPS if "continue-on-error" in step] == []


def test_the_page_names_every_step() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE) == [step["name"] for step in STEPS]
    assert [step["run"] for step in STEPS if step["name"] in ("Run", "Audit")] == [
        "make run-all",
        ".venv/bin/distill audit-full",
    ]
