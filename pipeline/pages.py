"""The playbooks as pages: one file each, an index, and a manifest over all of them, published and put back as one thing.

A snapshot names the manifest alone, whose hash stands for every page. Pages are drafted where they changed, read again, and
moved into place; the manifest is moved last, so that whoever finds it in place finds all that it names.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline import files, manifest
from pipeline.errors import DamageError, GateError
from pipeline.playbooks import INDEX, TABLE
from pipeline.run import Run
from pipeline.snapshots import ExportFile
from pipeline.sources import Stamps, naming

FOLDER = "playbooks"
README = "README.md"
MANIFEST = f"{FOLDER}/SHA256SUMS"
STALE = "STALE"
_NAME = Path(MANIFEST).name
# How many pages are read back at a time.
_BATCH = 5000


def draft(run: Run) -> ExportFile:
    """Drafts what differs from the pages in place: pages, the index, the manifest; without a difference there is no draft."""
    run.bind_now(TABLE)
    before = run.files.get(MANIFEST)
    return _draft(run, before if before is not None and is_in_place(run.settings.exports, before, run.stamps) else None)


def draft_again(run: Run, version: int, file: ExportFile) -> None:
    """Drafts the pages as published with a version of their table. Raises DamageError where they come out otherwise."""
    if is_in_place(run.settings.exports, file, run.stamps):
        return
    run.bind(TABLE, run.store.read(TABLE, version))
    if _draft(run, None).sha256 != file.sha256:
        raise DamageError(
            f"{run.store.path(TABLE)}: version {version} does not give the pages that were published ({file.path} with sha256 "
            f"{file.sha256}): a file of that table was changed or damaged since, or another version of sql/ wrote the index"
        )


def _draft(run: Run, in_place: ExportFile | None) -> ExportFile:
    """in_place: the published manifest, where all of it is in place; otherwise every page that is there is hashed."""
    engine, exports = run.engine, run.settings.exports
    drafts = _empty_drafts(exports)
    _bind_wanted(run)
    content: bytes = engine.value(_written("run.wanted")).encode()
    file = ExportFile(MANIFEST, len(content), content.count(b"\n") - 1, hashlib.sha256(content).hexdigest())
    if in_place is not None:
        there = manifest.read(exports / MANIFEST)
    else:
        there = manifest.on_disk(exports / FOLDER, _column(run, "select file from run.wanted"))
    engine.bind_arrow("run.there", _hashes(there))
    engine.materialise("run.drafted", "select * from run.wanted anti join run.there using (file, page_sha256)")
    if in_place is not None and file.sha256 == in_place.sha256:
        return file
    drafts.mkdir(parents=True)
    below = f"{drafts}{os.sep}"
    with naming(drafts):
        for name, page in _texts(run):
            manifest.write(below + name, page.encode())
        (drafts / STALE).write_bytes(_stale(run).encode())
        # Not waiting for the disk: thousands of waits take long, and a page that a power failure cut off is found by its size.
        (drafts / _NAME).write_bytes(content)
    return file


def _bind_wanted(run: Run) -> None:
    """Makes `run.wanted` the hashes of all pages by name, and `run.index` the one that is in no table."""
    index: str = run.engine.value(run.library[INDEX].sql)
    run.engine.bind_arrow("run.index", pa.table({"file": [README], "page": [index]}))
    run.engine.define(
        "run.wanted", f"select file, page_sha256 from {TABLE} union all select file, sha256(page) as page_sha256 from run.index"
    )


def _texts(run: Run) -> Iterator[tuple[str, str]]:
    pages = f"select file, page from {TABLE} union all select file, page from run.index"
    with run.engine.stream(f"select file, page from ({pages}) semi join run.drafted using (file)") as batches:
        for batch in batches:
            yield from zip(batch["file"].to_pylist(), batch["page"].to_pylist(), strict=True)


def _stale(run: Run) -> str:
    """Returns a manifest of the pages that are ours and none any more: that the one in place names, or that were published."""
    run.engine.bind_arrow("run.there", _hashes(manifest.read(run.settings.exports / MANIFEST)))
    run.bind("before.rows", run.table_before(TABLE) or run.store.read(TABLE, run.store.first_version(TABLE)))
    known = "select file, page_sha256 from before.rows union all select * from run.there anti join before.rows using (file)"
    return str(run.engine.value(_written(f"({known}) anti join run.wanted using (file)")))


def _written(pages: str) -> str:
    """Returns the SQL of a manifest of some pages."""
    return f"select coalesce(string_agg(page_sha256 || '  ' || file || chr(10), '' order by file), '') from {pages}"


def _column(run: Run, query: str) -> list[str]:
    column: list[str] = run.engine.arrow(query).column(0).to_pylist()
    return column


def read_again(run: Run, file: ExportFile) -> None:
    """Reads the drafts back: the manifest must be what it should be, and pages are bound as `files.pages` for the checks."""
    drafts = files.draft_path(run.settings.exports, FOLDER)
    if drafts.exists() and files.file_sha256(drafts / _NAME) != file.sha256:
        raise GateError(f"{drafts / _NAME}: reads otherwise than it was written; nothing was published")
    _bind(run, drafts)


def bind_published(run: Run) -> None:
    """Binds all pages that are in place as `read_again` binds drafts."""
    run.bind_now(TABLE)
    _bind_wanted(run)
    run.engine.define("run.drafted", "select * from run.wanted")
    _bind(run, run.settings.exports / FOLDER)


def _bind(run: Run, folder: Path) -> None:
    engine = run.engine
    names = _column(run, "select file from run.drafted order by file")
    engine.bind_arrow("run.read_pages", _pages(folder, ()))
    engine.materialise("files.pages", "select * from run.read_pages")
    for start in range(0, len(names), _BATCH):
        engine.bind_arrow("run.read_pages", _pages(folder, names[start : start + _BATCH]))
        engine.execute("insert into files.pages select * from run.read_pages")
    engine.define(
        "files.pages_expected",
        "select drafted.file, drafted.page_sha256, playbooks.id, playbooks.evidence_sha256 "
        f"from run.drafted as drafted left join {TABLE} as playbooks using (file)",
    )


def _pages(folder: Path, names: Sequence[str]) -> pa.Table:
    """The pages that are there; one that is not UTF-8 differs from what it should be in any case."""
    there = {name: content.decode("utf-8", "replace") for name, content in manifest.contents(folder, names)}
    return pa.table({"file": pa.array(there.keys(), pa.string()), "page": pa.array(there.values(), pa.string())})


def is_in_place(exports: Path, file: ExportFile, stamps: Stamps) -> bool:
    """True where the manifest and every page that it names are there with the bytes that were published."""
    if not files.is_in_place(exports, file, stamps):
        return False
    names = manifest.read(exports / MANIFEST)
    seen = manifest.looks(exports / FOLDER, names)
    if seen is None:
        return False
    if stamps.known(FOLDER, exports / FOLDER, file.sha256, seen) is None:
        if manifest.on_disk(exports / FOLDER, names) != names:
            return False
        stamps.remember(FOLDER, exports / FOLDER, file.sha256, seen=seen)
    return True


def odd(exports: Path, file: ExportFile) -> list[str]:
    """Returns the names, below the exports folder, of what is not as it was published; reads every page."""
    path = exports / MANIFEST
    if not path.is_file() or files.file_sha256(path) != file.sha256:
        return [MANIFEST]
    names = manifest.read(path)
    there = manifest.on_disk(exports / FOLDER, names)
    return sorted(f"{FOLDER}/{name}" for name, sha256 in names.items() if there.get(name) != sha256)


def make_places(exports: Path) -> None:
    """Makes sure that drafted pages can be moved to where they belong, before the run is published."""
    wanted = manifest.read(files.draft_path(exports, MANIFEST))
    folders = _names(exports / FOLDER, folders=True) if wanted else frozenset[str]()
    for name in sorted(wanted.keys() & folders):
        raise IsADirectoryError(errno.EISDIR, "is a folder where a page belongs", str(exports / FOLDER / name))


def put_in_place(exports: Path, published: Mapping[str, ExportFile], *, trusted: bool = False) -> bool:
    """Moves drafted pages into place and takes away those that are none any more; done again after a kill, it finishes.

    Returns whether there were any. The manifest stays behind, to be moved last. Of what nobody drafted, only files whose bytes
    are ours are taken away.
    """
    drafts, file = files.draft_path(exports, FOLDER), published.get(MANIFEST)
    path = drafts / _NAME
    if file is None or not path.is_file() or not (trusted or files.file_sha256(path) == file.sha256):
        return False
    if trusted and _moved_as_one(drafts, exports / FOLDER):
        return True
    wanted = manifest.read(path)
    (exports / FOLDER).mkdir(parents=True, exist_ok=True)
    drafted, pages = f"{drafts}{os.sep}", f"{exports / FOLDER}{os.sep}"
    for name in sorted(wanted.keys() & _names(drafts)):
        if trusted or files.file_sha256(drafts / name) == wanted[name]:
            os.replace(drafted + name, pages + name)  # noqa: PTH105 - a Path for each of thousands takes longer
    _take_away(exports / FOLDER, manifest.read(drafts / STALE))
    return True


def _moved_as_one(drafts: Path, folder: Path) -> bool:
    """Moves a folder of drafts, its manifest in it, to where there is none yet; False where it is to be done page by page."""
    wanted = manifest.read(drafts / _NAME).keys()
    if manifest.read(drafts / STALE) or wanted - _names(drafts) or _names(folder):
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


def remember(exports: Path, published: Mapping[str, ExportFile], stamps: Stamps, *, moved: bool) -> None:
    """Keeps how the pages look that this process put in place; where it `moved` none, what is known of them stays."""
    file = published.get(MANIFEST)
    if file is None or (not moved and stamps.keep(FOLDER, file.sha256)):
        return
    if (seen := manifest.looks(exports / FOLDER, manifest.read(exports / MANIFEST))) is not None:
        stamps.remember_own(FOLDER, exports / FOLDER, file.sha256, seen)


def _names(folder: Path, *, folders: bool = False) -> frozenset[str]:
    """Returns what is in a folder, or only the folders in it; nothing where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if not folders or entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return frozenset()


def _take_away(folder: Path, hashes: Mapping[str, str]) -> None:
    for name, sha256 in manifest.on_disk(folder, hashes).items():
        if sha256 == hashes[name]:
            (folder / name).unlink()


def _empty_drafts(exports: Path) -> Path:
    drafts = files.draft_path(exports, FOLDER)
    shutil.rmtree(drafts, ignore_errors=True)
    return drafts


def _hashes(hashes: Mapping[str, str]) -> pa.Table:
    columns = (pa.array(hashes.keys(), pa.string()), pa.array(hashes.values(), pa.string()))
    return pa.table(columns, names=["file", "page_sha256"])
