"""raw.files, the ledger of landing: how far each file has been read, and which version of raw.lines that is."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.disk import BlockHash
from pipeline.engine import Engine
from pipeline.store.delta import DeltaStore

# In the ledger's commits: the snapshot with which a restore of it counts.
RESTORED = "restored by snapshot"
# How many commits of the ledger are looked at before all are.
_RECENT = 10


@dataclass(frozen=True)
class FileState:
    """How far a file has been landed; a row of raw.files."""

    source: str
    source_file: str
    generation: int = 0
    bytes: int = 0
    lines: int = 0
    landed_lines: int = 0
    blank_lines: int = 0
    ends_with_newline: bool = True
    content_sha256: str = BlockHash().hexdigest()


def undo_torn_load(store: DeltaStore) -> None:
    """Takes back a load that was killed between its rows and its ledger; its lines are read again from the files."""
    last = next(_loads(store), {})
    expected = int(last.get("raw.lines", store.first_version("raw.lines")))
    if store.version("raw.lines") != expected:
        store.restore("raw.lines", expected)
        # What was torn may have been a restore, or the undoing of one: that must not begin to count here.
        restored = {RESTORED: str(last[RESTORED])} if RESTORED in last else {}
        note_lines(store, str(last.get("run_id", "")), restored)


def note_lines(store: DeltaStore, run_id: str, said: dict[str, str] | None = None) -> None:
    """Says in a commit without rows that the newest version of raw.lines is the one that counts."""
    store.append("raw.files", store.tables["raw.files"].schema.empty_table(), metadata(store, run_id) | (said or {}))


def restore(store: DeltaStore, lines: int, files: int, run_id: str, snapshot: int) -> None:
    """Brings raw.lines and raw.files back to earlier versions, which counts once `snapshot` is published."""
    store.restore("raw.lines", lines, {"run_id": run_id})
    _restore_files(store, files, metadata(store, run_id) | {RESTORED: str(snapshot)})


def undo_foreign_load(store: DeltaStore, lines: int | None, files: int | None) -> None:
    """Takes raw.lines and raw.files back to the last load before versions of them that another tool wrote.

    What was landed since is read again from its files.
    """
    for commit in _loads(store):
        if (files is None or commit["version"] < files) and (lines is None or int(commit["raw.lines"]) < lines):
            store.restore("raw.lines", int(commit["raw.lines"]))
            restored = {RESTORED: str(commit[RESTORED])} if RESTORED in commit else {}
            _restore_files(store, commit["version"], metadata(store, str(commit.get("run_id", ""))) | restored)
            return
    for name in ("raw.lines", "raw.files"):
        store.restore(name, store.first_version(name))


def undo_unpublished_restore(store: DeltaStore, published: int) -> None:
    """Takes back a restore that was killed before its snapshot was published."""
    if int(next(_loads(store), {}).get(RESTORED, 0)) > published:
        before = next(commit for commit in _loads(store) if int(commit.get(RESTORED, 0)) <= published)
        store.restore("raw.lines", int(before["raw.lines"]))
        _restore_files(store, before["version"], metadata(store, str(before.get("run_id", ""))))


def _loads(store: DeltaStore) -> Iterator[dict[str, Any]]:
    """Yields the commits of the ledger that name a version of raw.lines, newest first: nearly always the first is enough."""
    for limit in (_RECENT, None):
        commits = store.history("raw.files", limit)
        yield from (commit for commit in commits[0 if limit else _RECENT :] if "raw.lines" in commit)
        if limit and len(commits) < limit:
            return


def _restore_files(store: DeltaStore, version: int, said: dict[str, str]) -> None:
    """Brings raw.files back in one commit that also says which lines belong to it."""
    if store.version("raw.files") == version:
        store.append("raw.files", store.tables["raw.files"].schema.empty_table(), said)
    else:
        store.restore("raw.files", version, said)


def ledger_hash(store: DeltaStore, engine: Engine) -> str:
    """Returns one hash over what has been read of all files."""
    newest = sorted(states(store, engine).values(), key=lambda state: state.source_file)
    seen = [[state.source_file, state.generation, state.bytes, state.content_sha256] for state in newest]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def metadata(store: DeltaStore, run_id: str) -> dict[str, str]:
    """Returns what a commit of the ledger says: the version of raw.lines that it belongs to."""
    return {"run_id": run_id, "raw.lines": str(store.version("raw.lines"))}


def states(store: DeltaStore, engine: Engine) -> dict[str, FileState]:
    """Returns how far each file has been landed, by its name."""
    engine.bind("raw.files", store.read("raw.files").files, store.tables["raw.files"].schema)
    names = ", ".join(FileState.__dataclass_fields__)
    newest = "row_number() over (partition by source_file order by generation desc, bytes desc) = 1"
    return {row["source_file"]: FileState(**row) for row in engine.rows(f"select {names} from raw.files qualify {newest}")}
