"""What a release may be called."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.release import repository
from pipeline.store.snapshots import Snapshot

# What a git tag, a file and a shell take as it is.
SIMPLE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|[.](?=[A-Za-z0-9_-])){0,63}")
RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")
# Names that --as-of and --to, or git, already understand as something else.
TAKEN_WORDS = ("latest", "last-good", "head")


def refuse_odd(name: str) -> None:
    """Raises UsageError for what is no simple name, or could be read as a run, a time or another word of `--to`."""
    if SIMPLE.fullmatch(name) is None or name.endswith(".lock"):
        raise UsageError(
            f"{name!r} is no simple name: up to 64 letters, digits, dots, dashes and underscores, such as v1.0 or 2026-q2"
        )
    if name.lower() in TAKEN_WORDS or RUN_ID.fullmatch(name) or _is_time(name):
        raise UsageError(f"{name!r} already means something to `distill restore --to`; call it r-{name}, or otherwise")


def taken(name: str, published: Sequence[Snapshot], root: Path | None) -> list[str]:
    """Returns why a name is not free; root: of the repository that will be tagged."""
    found = [
        f"{name} is already the release of snapshot {snapshot.snapshot}, run {snapshot.run_id}; choose another name"
        for snapshot in published
        if name in snapshot.releases
    ]
    if root is not None and repository.has_tag(root, name):
        found.append(f"{root} already has a git tag {name}; choose another name")
    return found


def _is_time(name: str) -> bool:
    try:
        datetime.fromisoformat(name)
    except ValueError:
        return False
    return True
