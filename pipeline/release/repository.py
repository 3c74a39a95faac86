"""The git repository that a release names a commit of."""

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SHOWN = 5


@dataclass(frozen=True)
class State:
    """A repository as it is now: its root and its commit, where it has them, and why it is not clean."""

    root: Path | None = None
    head: str | None = None
    findings: tuple[str, ...] = ()


def look(folder: Path, outputs: Iterable[Path]) -> State:
    """Returns the state of the repository that a folder is in.

    outputs: folders that distill writes to; what lies untracked below them does not make a repository unclean
    """
    where = folder.absolute()
    code, out, err = _git(where, "rev-parse", "--show-toplevel")
    if code != 0:
        hint = "run this where your models are under git"
        if "not a git repository" in err:
            return State(findings=(f"{where} is in no git repository, and a release names a commit; {hint}",))
        return State(findings=(f"{where}: git can't be asked: {err}; {hint}",))
    root = Path(out.rstrip("\n"))
    code, out, _ = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if code != 0:
        return State(root, findings=(f"{root}: nothing was committed here yet; commit first",))
    return State(root, out.strip(), tuple(_dirt(root, outputs)))


def has_tag(root: Path, name: str) -> bool:
    """Returns whether a repository has a tag of this name."""
    return _git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/{name}")[0] == 0


def _dirt(root: Path, outputs: Iterable[Path]) -> Sequence[str]:
    code, out, err = _git(root, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    if code != 0:
        return [f"{root}: git can't say whether it is clean: {err}"]
    ours = [path.resolve() for path in outputs]
    paths = []
    for entry in out.split("\0")[:-1]:
        path = root / entry[3:]
        if not (entry.startswith("??") and any(folder != root and path.is_relative_to(folder) for folder in ours)):
            paths.append(entry[3:])
    if not paths:
        return []
    more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
    return [f"{root}: not committed: {', '.join(paths[:SHOWN])}{more}; commit them, or name them in .gitignore"]


def _git(folder: Path, *arguments: str) -> tuple[int, str, str]:
    # Asking must not write either: `status` would otherwise refresh the index.
    asking = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=asking,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except OSError as error:
        return 1, "", f"git can't be run: {error.strerror}"
    return done.returncode, done.stdout, " ".join(done.stderr.split())
