"""Warehouses inside of a git repository with models of its own, as a team has them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.support.forked import JOBS
from tests.support.rows import copied_sql
from tests.support.states import STREAM, rows_of

IGNORED = ("data/", "warehouse/", "exports/", "reports/", f"{JOBS}/")
# A test command that passes.
PASSING = f'"{sys.executable}" -c "print(6 * 7)"'


def git(workspace: Workspace, *arguments: str) -> str:
    named = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(named, cwd=workspace.root, check=True, capture_output=True, text=True).stdout.strip()


def commit(workspace: Workspace) -> None:
    git(workspace, "add", "--all")
    git(workspace, "commit", "--quiet", "--message", "x")


def make_repository(root: Path) -> Path:
    """Makes a repository with models in sql/, and a warehouse with one state that they made. Returns the folder."""
    workspace = Workspace(root)
    workspace.write(STREAM, rows_of(0, 12))
    copied_sql(workspace.root / "sql")
    workspace.passed()
    (workspace.root / ".gitignore").write_text("".join(f"/{name}\n" for name in IGNORED))
    git(workspace, "init", "--quiet")
    commit(workspace)
    return workspace.root


def entered(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Returns a copy of a repository, which is the current folder from now on."""
    monkeypatch.chdir(tmp_path)
    return Workspace(published).copy(tmp_path)
