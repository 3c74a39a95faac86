"""Which commits are ours: each carries a mark, and what another tool writes does not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deltalake import CommitProperties

MARK = "distillery"
# What the commits of releases said of themselves that did not mark them.
_SIGNS = frozenset({"run_id", "replay_id", "kept_rows", "raw.lines", "snapshot"})
_UNSAID = frozenset({"CREATE TABLE", "ADD CONSTRAINT", "DROP CONSTRAINT", "RESTORE"})


def marked(metadata: Mapping[str, str] | None = None) -> CommitProperties:
    """Returns what a commit of ours says of itself."""
    return CommitProperties(custom_metadata={MARK: "1", **(metadata or {})})


def commit_info(log: Path, version: int) -> dict[str, Any] | None:
    """Returns what a commit says of itself, from its file in a table's log; None where that file is not there or not whole."""
    try:
        lines = (log / f"{version:020}.json").read_bytes().splitlines()
        found = [
            json.loads(line)["commitInfo"] for line in lines if b'"commitInfo"' in line and "commitInfo" in json.loads(line)
        ]
    except (OSError, ValueError):
        return None
    # Nobody has to say anything.
    return found[0] if found and isinstance(found[0], dict) else {}


def is_marked(said: Mapping[str, Any]) -> bool:
    return MARK in said


def may_be_old(said: Mapping[str, Any]) -> bool:
    """True where a commit may be one of a release that did not mark them."""
    return bool(_SIGNS & said.keys()) or said.get("operation") in _UNSAID
