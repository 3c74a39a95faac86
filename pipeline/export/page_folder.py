"""The folder of published pages: whether it is as it was published, and how drafts come into it.

A manifest with the hash of every page is moved last, so that whoever finds it in place finds all that it names. Pages are many,
so a run looks at some of them: their folder shows what came, went or was replaced, and a page that was written into is newer
than the time at which all were last known to be whole, unless a run of ours moved it into place since.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
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
# After so many runs that moved pages, one looks at all of them again.
MANY = 32


@dataclass(frozen=True)
class Known:
    """What is known of the folder of pages.

    whole_at: until when, in ns, all of them were known to be whole
    place:    where in the manifest to look next
    looks:    two times that change when a file comes into the folder, leaves it or is replaced; then which folder it is
    ours:     since then, from when to when each run moved pages into place, in ns
    """

    whole_at: int
    place: int
    looks: tuple[int, ...]
    ours: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, stamps: Stamps, file: ExportFile, looks: tuple[int, ...]) -> "Known | None":
        """Returns what is known of the folder that looks so and has this manifest.

        Of another folder, or of an earlier start of the machine, nothing is.
        """
        held = stamps.looks(FOLDER, file.sha256)
        if len(held) < 7 or not all(isinstance(number, int) and number >= 0 for number in held):
            return None
        whole_at, place, *then = held[:7]
        if then[2:] != [*looks[2:]]:
            return None
        return cls(whole_at, place, tuple(then), tuple(zip(held[7::2], held[8::2], strict=False)))

    def write(self, stamps: Stamps, file: ExportFile) -> None:
        place = self.place if self.place < file.bytes else 0
        stamps.remember_own(FOLDER, file.sha256, [self.whole_at, place, *self.looks, *chain.from_iterable(self.ours)])

    def explains(self, changed_at: int) -> bool:
        """True where a page that changed last at this time, in ns, is as it was published."""
        return changed_at <= self.whole_at or any(first <= changed_at <= last for first, last in self.ours)


def is_in_place(exports: Path, file: ExportFile, stamps: Stamps, *, in_part: bool = False) -> bool:
    """True where the manifest and every page that it names are there with the bytes that were published.

    in_part: look at some of the pages, others each time, as long as the folder shows that none came, went or was replaced
    """
    found = files.is_in_place(exports, file, stamps) and _is_whole(exports, file, stamps, in_part)
    if not found:
        stamps.drop(FOLDER)
    return found


def _is_whole(exports: Path, file: ExportFile, stamps: Stamps, in_part: bool) -> bool:
    path, folder = exports / MANIFEST, exports / FOLDER
    looks = _look(folder)
    known = Known.read(stamps, file, looks) or Known(0, 0, ())
    in_part = in_part and known.looks == looks and len(known.ours) < MANY
    names, place = manifest.some(path, known.place, _PART) if in_part else (list(manifest.read(path)), known.place)
    times = manifest.times(folder, names)
    if times is not None and not all(map(known.explains, times)):
        in_part, hashes = False, manifest.read(path)
        times = manifest.times(folder, hashes)
        if manifest.on_disk(folder, hashes) != hashes:
            return False
    if times is None:
        return False
    now = Known(known.whole_at, place, looks, known.ours) if in_part else Known(max(times, default=0), place, looks)
    # Times that are new here must be old enough to tell what comes after them.
    if all(map(is_settled, {now.whole_at, *looks[:2]} - {known.whole_at, *known.looks})):
        now.write(stamps, file)
    return True


def _look(folder: Path) -> tuple[int, ...]:
    """Returns two times that change when a file comes into a folder, leaves it or is replaced; then which folder it is."""
    held = folder.stat()
    return (held.st_mtime_ns, held.st_ctime_ns, held.st_ino, held.st_dev, _boot())


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
    below = f"{exports / FOLDER}{os.sep}"
    for name in sorted(_drafted(files.draft_path(exports, FOLDER))) if Path(below).is_dir() else ():
        if manifest.is_folder(below + name):
            raise IsADirectoryError(errno.EISDIR, "is a folder where a page belongs", below + name)


def put_in_place(exports: Path, published: Mapping[str, ExportFile], *, trusted: bool = False) -> tuple[int, int] | None:
    """Moves drafted pages into place and takes away those that are none any more; done again after a kill, it finishes.

    Returns from when to when pages changed for it by the file system's time, in ns, from 0 where the folder moved as one; None
    without drafts. The manifest stays behind, to be moved last. Of what nobody drafted, only files whose bytes are ours are
    taken away.
    """
    drafts, folder, file = files.draft_path(exports, FOLDER), exports / FOLDER, published.get(MANIFEST)
    path = drafts / MANIFEST_NAME
    if file is None or not path.is_file() or not (trusted or file_sha256(path) == file.sha256):
        return None
    if trusted and _moved_as_one(drafts, folder, file):
        return 0, max(_look(folder)[:2])
    folder.mkdir(parents=True, exist_ok=True)
    drafted, pages = f"{drafts}{os.sep}", f"{folder}{os.sep}"
    moved = sorted(_drafted(drafts) if trusted else _proven(drafts))
    for name in moved:
        os.replace(drafted + name, pages + name)  # noqa: PTH105 - a Path for each of thousands takes longer
    _take_away(folder, manifest.read(drafts / STALE))
    times = manifest.times(folder, moved) or []
    # A file may be newer than its folder by a tick.
    last = max(*times, *_look(folder)[:2])
    return min(times, default=last), last


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


def remember(
    exports: Path,
    published: Mapping[str, ExportFile],
    before: ExportFile | None,
    stamps: Stamps,
    moved: tuple[int, int] | None,
    since: int,
) -> None:
    """Keeps how the folder looks that this process put pages into; where it moved none, what is known of it stays.

    before: the manifest that was in place
    since:  when pages began to be drafted, in ns; where nothing is known of the folder, all others were read after that
    """
    file = published.get(MANIFEST)
    if file is not None and moved is not None:
        looks = _look(exports / FOLDER)
        now = Known(since, 0, looks, ours=((moved[0] or since, moved[1]),))
        if before is not None and (known := Known.read(stamps, before, looks)) is not None:
            now = replace(known, looks=looks, ours=(*known.ours, moved))
        now.write(stamps, file)
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
