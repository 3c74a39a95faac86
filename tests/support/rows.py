"""Rows of streams, written short, and a copy of sql/ that a test may edit."""

import re
import shutil
from pathlib import Path
from typing import Any

from pipeline.settings import builtin_sql


def review(task: str, verdict: str, notes: str, second: int = 0, **more: Any) -> dict[str, Any]:
    """A row of observer_reviews: the one stream whose verdict alone decides. Its run is named after its notes."""
    row = {"ts": f"2026-04-27T00:00:{second:02d}Z", "task_id": task, "run_id": f"run-{notes}", "file": f"{task}.py"}
    return row | {"verdict": verdict, "notes": notes} | more


def copied_sql(folder: Path) -> Path:
    """Copies our models to a folder of their own and returns it."""
    shutil.copytree(builtin_sql(), folder)
    return folder


def edit(path: Path, old: str, new: str, *, raised: bool = True) -> None:
    """Replaces a text in a model, and raises the model's version unless told otherwise."""
    text = path.read_text()
    assert old in text, f"{path} does not say {old!r} any more"
    text = text.replace(old, new)
    if raised:
        text = re.sub(r"(?m)^-- version: (\d+)$", lambda found: f"-- version: {int(found[1]) + 1}", text)
    path.write_text(text)


def edited_copy(folder: Path, name: str, old: str, new: str) -> None:
    """Puts one of our models into a folder of a team's own, where it says something else."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(builtin_sql() / name, path)
    edit(path, old, new)
