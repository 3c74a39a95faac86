"""Folders of indexes below the warehouse: named by what they hold, listed file by file, put in place by one rename."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.disk import file_sha256, to_disk
from pipeline.errors import WarehouseError
from pipeline.index import fulltext

ROOM = "index"
DRAFTS = ".drafts"
MANIFEST = "manifest.json"

# Whether a file, of this name below the warehouse, still has this sha256.
Look = Callable[[str, Path, str], bool]


def name_of(content: str) -> str:
    """Returns what the index over a table with this content hash is called; another format gives another name."""
    return hashlib.sha256(f"{fulltext.FORMAT}:{content}".encode()).hexdigest()[:16]


def place(root: Path, name: str) -> Path:
    return root / ROOM / name


def draft_place(root: Path, name: str) -> Path:
    return root / ROOM / DRAFTS / name


def start(root: Path, name: str, base: Path | None) -> Path:
    """Returns the folder of a draft: empty, or with the files of another index, which share their disk space with it."""
    draft = draft_place(root, name)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    if base is not None:
        for entry in _manifest(base)["files"]:
            _link(base / entry["name"], draft / entry["name"])
    return draft


def _link(source: Path, target: Path) -> None:
    # Lists are small and are written anew; segments never change.
    if source.suffix != ".json":
        with suppress(OSError):
            os.link(source, target)
            return
    shutil.copyfile(source, target)


def finish(draft: Path, base: Path | None) -> None:
    """Lists the files of a draft with their hashes, takes away all others, and brings everything to disk."""
    held = {entry["name"]: entry for entry in _manifest(base)["files"]} if base is not None else {}
    shape, entries = fulltext.shape(draft), []
    for path in set(draft.iterdir()) - {draft / name for name in shape.files}:
        path.unlink()
    for name in shape.files:
        known = held.get(name) if not name.endswith(".json") else None
        entries.append(known or {"name": name, "bytes": (draft / name).stat().st_size, "sha256": file_sha256(draft / name)})
        if known is None:
            to_disk(draft / name)
    manifest = {"format": fulltext.FORMAT, "documents": shape.documents, "files": entries}
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    to_disk(draft / MANIFEST)
    to_disk(draft)


def put_in_place(root: Path, name: str) -> bool:
    """Makes the draft of this name, where there is one, the index; what stood in its place was not whole."""
    if not draft_place(root, name).is_dir():
        return False
    target = place(root, name)
    if target.exists():
        target.rename(draft_place(root, f"{name}.damaged"))
    draft_place(root, name).rename(target)
    to_disk(target.parent)
    drop_drafts(root)
    return True


def drop_drafts(root: Path) -> None:
    """Removes what a command that was killed, or failed, left half done."""
    shutil.rmtree(root / ROOM / DRAFTS, ignore_errors=True)


def documents(folder: Path) -> int:
    return int(_manifest(folder)["documents"])


def flaw(folder: Path, look: Look | None = None) -> str | None:
    """Returns what is wrong with an index, None where it is whole. Without `look` only the sizes of its files count."""
    if not folder.is_dir():
        return "is missing"
    try:
        manifest = _manifest(folder)
        sizes = {entry["name"]: entry["bytes"] for entry in manifest["files"]}
        for name, path, sha256 in files(folder):
            if not path.is_file():
                return f"lacks {path.name}"
            if path.stat().st_size != sizes[path.name] or (look is not None and not look(name, path, sha256)):
                return f"holds another {path.name} than was written"
        return None if manifest["format"] == fulltext.FORMAT else "was written by another version"
    except (WarehouseError, OSError, LookupError, TypeError):
        return f"has no readable {MANIFEST}"


def files(folder: Path) -> list[tuple[str, Path, str]]:
    """Returns the files of an index: the name below the warehouse, the path, and the sha256 that it was written with."""
    return [
        (f"{ROOM}/{folder.name}/{entry['name']}", folder / entry["name"], entry["sha256"])
        for entry in _manifest(folder)["files"]
    ]


def unneeded(root: Path, names: Collection[str]) -> list[Path]:
    """Returns the files of all indexes but those of these names."""
    folders = [path for path in (root / ROOM).glob("[!.]*") if path.is_dir() and path.name not in names]
    return sorted(path for folder in folders for path in folder.iterdir())


def drop_empty(root: Path) -> None:
    for folder in (root / ROOM).glob("[!.]*"):
        with suppress(OSError):
            folder.rmdir()


def freed(paths: Iterable[Path]) -> int:
    """Returns the bytes that the disk gets back without these files: none for what other files share."""
    links: dict[tuple[int, int], list[int]] = {}
    for path in paths:
        with suppress(FileNotFoundError):
            stat = path.stat()
            held = links.setdefault((stat.st_dev, stat.st_ino), [stat.st_size, stat.st_nlink])
            held[1] -= 1
    return sum(size for size, others in links.values() if others <= 0)


def hashed(name: str, path: Path, sha256: str) -> bool:
    """Reads a file and says whether it is what it was."""
    return file_sha256(path) == sha256


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WarehouseError(f"{folder}: has no readable {MANIFEST}: {error}") from error
    return found if isinstance(found, dict) else {}
