"""The folder of published pages: whether it is as it was published, and how drafts come into it.

A manifest with the hash of every page is moved last, so that whoever finds it in place finds all that it names. Pages are many,
so who only wants to know whether there is something to do looks at some of them: their folder shows what came, went or was
replaced, and a page that was written into is newer than the time at which all were last known to be whole.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.disk import Stamps, file_sha256, is_settled, stamp
from pipeline.export import files, manifest
from pipeline.store.snapshots import ExportFile

FOLDER = "playbooks"
MANIFEST = f"{FOLDER}/SHA256SUMS"
# Beside the drafts: what is to be taken away once they are in place.
STALE = "STALE"
MANIFEST_NAME = Path(MANIFEST).name
# How many bytes of the manifest name the pages that one run looks at: about 10,000.
_PART = 1024 * 1024


def is_in_place(exports: Path, file: ExportFile, stamps: Stamps, *, in_part: bool = False) -> bool:
    """True where the manifest and every page that it names are there with the bytes that were published.

    in_part: look at some of the pages, others each time, as long as the folder shows that none came, went or was replaced
    """
    if not files.is_in_place(exports, file, stamps):
        return False
    path, folder = exports / MANIFEST, exports / FOLDER
    now = _look(folder)
    whole_at, place, *then = remembered = _remembered(stamps, file, now)
    if in_part and now == then:
        names, place = manifest.some(path, place, _PART)
    else:
        names = list(manifest.read(path))
    newest = manifest.newest(folder, names)
    if newest is not None and newest > whole_at:
        hashes = manifest.read(path)
        newest = manifest.newest(folder, hashes)
        if manifest.on_disk(folder, hashes) != hashes:
            return False
        whole_at = newest or 0
    if newest is None:
        return False
    # Times that are new here must be old enough to tell what comes after them.
    if all(map(is_settled, {whole_at, *now[:2]} - {*remembered})):
        stamps.remember_own(FOLDER, file.sha256, [whole_at, place, *now])
    return True


def _look(folder: Path) -> list[int]:
    """Returns two times that change when a file comes into a folder, leaves it or is replaced; then which folder it is."""
    held = folder.stat()
    return [held.st_mtime_ns, held.st_ctime_ns, held.st_ino, held.st_dev, _boot()]


def _remembered(stamps: Stamps, file: ExportFile, now: list[int]) -> list[int]:
    """Returns until when all pages were known to be whole, in ns; where in the manifest to look next; how the folder looked.

    Of another folder, or of an earlier start of the machine, nothing is known.
    """
    held = stamps.looks(FOLDER, file.sha256)
    if len(held) != 7 or not all(isinstance(number, int) and number >= 0 for number in held):
        return [0, 0]
    return held if held[4:] == now[2:] and held[1] < file.bytes else [0, 0]


def _boot() -> int:
    """Returns which start of the machine this is, if it says so: pages of an earlier one may never have reached the disk."""
    try:
        return int(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").replace("-", "")[:15], 16)
    except (OSError, ValueError):
        return 0


def odd(exports: Path, file: ExportFile) -> list[str]:
    """Returns the names, below the exports folder, of what is not as it was published; reads every page."""
    path = exports / MANIFEST
    if not path.is_file() or file_sha256(path) != file.sha256:
        return [MANIFEST]
    names = manifest.read(path)
    there = manifest.on_disk(exports / FOLDER, names)
    return sorted(f"{FOLDER}/{name}" for name, sha256 in names.items() if there.get(name) != sha256)


def make_places(exports: Path) -> None:
    """Makes sure that drafted pages can be moved to where they belong, before the run is published."""
    folder = exports / FOLDER
    in_the_way = _names(files.draft_path(exports, FOLDER)) & _names(folder) - {STALE}
    for name in sorted(in_the_way):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, "is a folder where a page belongs", str(path))


def put_in_place(exports: Path, published: Mapping[str, ExportFile], *, trusted: bool = False) -> int | None:
    """Moves drafted pages into place and takes away those that are none any more; done again after a kill, it finishes.

    Returns the file system's time after it, in ns; None without drafts. The manifest stays behind, to be moved last. Of what
    nobody drafted, only files whose bytes are ours are taken away.
    """
    drafts, folder, file = files.draft_path(exports, FOLDER), exports / FOLDER, published.get(MANIFEST)
    path = drafts / MANIFEST_NAME
    if file is None or not path.is_file() or not (trusted or file_sha256(path) == file.sha256):
        return None
    if not (trusted and _moved_as_one(drafts, folder, file)):
        folder.mkdir(parents=True, exist_ok=True)
        drafted, pages = f"{drafts}{os.sep}", f"{folder}{os.sep}"
        for name in sorted(_drafted(drafts) if trusted else _proven(drafts)):
            os.replace(drafted + name, pages + name)  # noqa: PTH105 - a Path for each of thousands takes longer
        _take_away(folder, manifest.read(drafts / STALE))
    return max(_look(folder)[:2])


def _drafted(drafts: Path) -> frozenset[str]:
    return _names(drafts) - {STALE, MANIFEST_NAME}


def _proven(drafts: Path) -> Iterator[str]:
    """Yields the drafts of pages that are as the manifest beside them says."""
    wanted = manifest.read(drafts / MANIFEST_NAME)
    return (name for name in _drafted(drafts) & wanted.keys() if file_sha256(drafts / name) == wanted[name])


def _moved_as_one(drafts: Path, folder: Path, file: ExportFile) -> bool:
    """Moves a folder of drafts, its manifest in it, to where there is none yet; False where it is to be done page by page."""
    if manifest.read(drafts / STALE) or len(_drafted(drafts)) != file.rows + 1 or _names(folder):
        return False
    (drafts / STALE).unlink()
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        drafts.replace(folder)
    except OSError:  # such as a link to a folder elsewhere
        return False
    return True


def drop_others(exports: Path, published: Mapping[str, ExportFile]) -> None:
    """Removes the pages that a restored state, which is older than they are, did not have."""
    if MANIFEST not in published and (exports / MANIFEST).is_file():
        _take_away(exports / FOLDER, manifest.read(exports / MANIFEST))
        (exports / MANIFEST).unlink()


def remember(exports: Path, published: Mapping[str, ExportFile], stamps: Stamps, moved_at: int | None) -> None:
    """Keeps how the folder looks that this process put pages into; where it moved none, what is known of it stays."""
    file = published.get(MANIFEST)
    if file is not None and moved_at is not None:
        # Anywhere in the manifest: else runs that write pages would all look at the first ones.
        place = moved_at % max(1, file.bytes - _PART)
        stamps.remember_own(FOLDER, file.sha256, [moved_at, place, *_look(exports / FOLDER)])
        stamps.remember_own(MANIFEST, file.sha256, stamp(exports / MANIFEST))
    elif file is not None:
        stamps.keep(FOLDER, file.sha256)


def _names(folder: Path) -> frozenset[str]:
    """Returns what is in a folder; nothing where there is no such folder."""
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - a Path for each of thousands takes longer
    except FileNotFoundError:
        return frozenset()


def _take_away(folder: Path, hashes: Mapping[str, str]) -> None:
    for name, sha256 in manifest.on_disk(folder, hashes).items():
        if sha256 == hashes[name]:
            (folder / name).unlink()
