"""A folder of files as one thing: a manifest with the sha256 of each, for `sha256sum -c`; its own hash stands for all."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_LINE = re.compile(r"([0-9a-f]{64})  ((?:[a-z0-9][a-z0-9-]{0,90}|README)\.md)")


def written(hashes: Mapping[str, str]) -> bytes:
    """Returns a manifest, by name."""
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items())).encode()


def read(path: Path) -> dict[str, str]:
    """Returns the hashes in a manifest, by name; nothing where there is none. Lines that we would not write don't count."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {matched[2]: matched[1] for line in lines if (matched := _LINE.fullmatch(line))}


def on_disk(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Returns the sha256 of those of some files that are there; what is no file, or a link, is not there."""
    found = {}
    for name in names:
        path = folder / name
        if path.is_file() and not path.is_symlink():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def looks(folder: Path, names: Iterable[str]) -> list[int] | None:
    """Returns what changes when one of the files does, without reading any; None where one is missing.

    Of the same shape as the stamp of one file: a number for all of it, and the newest times.
    """
    digest, modified, changed, count = hashlib.sha256(), 0, 0, 0
    for name in sorted(names):
        try:
            stat = os.lstat(folder / name)
        except OSError:
            return None
        digest.update(f"{name} {stat.st_mode} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}\n".encode())
        modified, changed, count = max(modified, stat.st_mtime_ns), max(changed, stat.st_ctime_ns), count + 1
    return [int.from_bytes(digest.digest()[:7]), modified, changed, count]
