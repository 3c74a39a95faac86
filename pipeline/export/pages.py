"""The playbooks as pages: one file each, an index, and a manifest over all of them, published and put back as one thing.

A snapshot names the manifest alone, whose hash stands for every page. Pages are drafted where they changed, and read again.
"""

import os
import shutil
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pyarrow as pa

from pipeline.disk import file_sha256, naming
from pipeline.engine import quoted
from pipeline.errors import DamageError, GateError, WarehouseError
from pipeline.export import files, manifest
from pipeline.export.page_folder import FOLDER, MANIFEST, MANIFEST_NAME, STALE, is_in_place
from pipeline.export.playbooks import INDEX, TABLE
from pipeline.parallel import threaded
from pipeline.run import Run
from pipeline.store.snapshots import ExportFile

README = "README.md"
# How many pages are read back at a time.
_BATCH = 5000


def draft(run: Run) -> ExportFile:
    """Drafts the pages that differ from those in place, the index and the manifest; without a difference there is no draft.

    Looks at some of the pages, as a run does that drafts none: nobody vouches for those that it did not look at.
    """
    run.bind_now(TABLE)
    before = run.files.get(MANIFEST)
    is_there = before is not None and is_in_place(run.settings.exports, before, run.stamps, in_part=True)
    return _draft(run, before if is_there else None)


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
    run.pages_since = drafts.stat().st_ctime_ns
    _bind_wanted(run)
    # Beside the pages until all of them are drafted.
    path = drafts.with_suffix(".new")
    with naming(path):
        # Not waiting for the disk, for thousands of waits take long: the first run after a power failure reads all pages.
        _write_manifest(run, "run.wanted", path)
        rows = int(engine.value("select count(*) as n from run.wanted")) - 1
        file = ExportFile(MANIFEST, path.stat().st_size, rows, file_sha256(path))
    if file == in_place:
        path.unlink()
        drafts.rmdir()
        engine.materialise("run.drafted", "select * from run.wanted where false")
        return file
    _bind_before(run)
    if in_place is not None:
        # The index is in no table, so it is always written.
        engine.define("run.there", "select file, page_sha256 from before.rows")
    else:
        there = manifest.on_disk(exports / FOLDER, _column(run, "select file from run.wanted"))
        engine.bind_arrow("run.there", _hashes(there))
    engine.materialise("run.drafted", "select * from run.wanted anti join run.there using (file, page_sha256)")
    below = f"{drafts}{os.sep}"
    with naming(drafts):
        made = TABLE if in_place is None else "run.made_playbooks"
        pages = f"select file, page from {made} union all select file, page from run.index"
        with engine.stream(f"select file, page from ({pages}) semi join run.drafted using (file)") as batches:
            # More threads would wait for each other: a file system lets one at a time into a folder.
            deque(threaded(partial(_write, below), batches, threads=1), maxlen=0)
        _write_stale(run, in_place, drafts / STALE)
        path.replace(drafts / MANIFEST_NAME)
    return file


def _bind_before(run: Run) -> None:
    """Makes `before.rows` the hashes of the pages that were published last.

    Where their table is damaged, which only a restore comes past, none are known: then the manifest in place says what is ours.
    """
    run.bind("before.rows", run.store.read(TABLE, run.store.first_version(TABLE)))
    with suppress(WarehouseError):
        if (before := run.table_before(TABLE)) is not None:
            run.bind("before.published", before)
            run.engine.materialise("before.pages", "select file, page_sha256 from before.published")
            run.engine.define("before.rows", "select file, page_sha256 from before.pages")


def _bind_wanted(run: Run) -> None:
    """Makes `run.wanted` the hashes of all pages by name, and `run.index` the one that is in no table."""
    index: str = run.engine.value(run.library[INDEX].sql)
    run.engine.bind_arrow("run.index", pa.table({"file": [README], "page": [index]}))
    run.engine.define(
        "run.wanted", f"select file, page_sha256 from {TABLE} union all select file, sha256(page) as page_sha256 from run.index"
    )


def _write(below: str, batch: pa.RecordBatch) -> None:
    for name, page in zip(batch["file"].to_pylist(), batch["page"].cast(pa.binary()).to_pylist(), strict=True):
        manifest.write(below + name, page)


def _write_stale(run: Run, in_place: ExportFile | None, path: Path) -> None:
    """Writes a manifest of the pages that are ours and none any more: that were published, or that the one in place names."""
    known = "select file, page_sha256 from before.rows"
    if in_place is None:
        run.engine.bind_arrow("run.listed", _hashes(manifest.read(run.settings.exports / MANIFEST)))
        known += " union all select * from run.listed anti join before.rows using (file)"
    _write_manifest(run, f"({known}) anti join run.wanted using (file)", path)


def _write_manifest(run: Run, pages: str, path: Path) -> None:
    """Writes a manifest of some pages, in order of their names."""
    lines = f"select page_sha256 || '  ' || file as line from {pages} order by file"
    as_they_are = "format csv, header false, delimiter '', quote '', escape ''"
    run.engine.execute(f"copy ({lines}) to {quoted(str(path))} ({as_they_are})")


def _column(run: Run, query: str) -> list[str]:
    column: list[str] = run.engine.arrow(query).column(0).to_pylist()
    return column


def read_again(run: Run, file: ExportFile) -> None:
    """Reads the drafts back: the manifest must be what it should be, and pages are bound as `files.pages` for the checks."""
    drafts = files.draft_path(run.settings.exports, FOLDER)
    if drafts.exists() and file_sha256(drafts / MANIFEST_NAME) != file.sha256:
        raise GateError(f"{drafts / MANIFEST_NAME}: reads otherwise than it was written; nothing was published")
    _bind(run, drafts)


def bind_published(run: Run) -> None:
    """Binds all pages that are in place as `read_again` binds drafts."""
    run.bind_now(TABLE)
    _bind_wanted(run)
    run.engine.materialise("run.drafted", "select * from run.wanted")
    _bind(run, run.settings.exports / FOLDER)


def _bind(run: Run, folder: Path) -> None:
    engine = run.engine
    names = _column(run, "select file from run.drafted order by file")
    engine.bind_arrow("files.pages", _pages(folder, ()))
    batches = (names[start : start + _BATCH] for start in range(0, len(names), _BATCH))
    for pages in threaded(partial(_pages, folder), batches):
        engine.bind_arrow("files.pages", pages, more=True)
    engine.define(
        "files.pages_expected",
        "select drafted.file, drafted.page_sha256, playbooks.id, playbooks.evidence_sha256 "
        f"from run.drafted as drafted left join {TABLE} as playbooks using (file)",
    )


def _pages(folder: Path, names: Sequence[str]) -> pa.Table:
    """The pages that are there; one that is not UTF-8 differs from what it should be in any case."""
    there = {name: content.decode("utf-8", "replace") for name, content in manifest.contents(folder, names)}
    return pa.table({"file": pa.array(there.keys(), pa.string()), "page": pa.array(there.values(), pa.string())})


def _empty_drafts(exports: Path) -> Path:
    drafts = files.draft_path(exports, FOLDER)
    shutil.rmtree(drafts, ignore_errors=True)
    drafts.mkdir(parents=True)
    return drafts


def _hashes(hashes: Mapping[str, str]) -> pa.Table:
    columns = (pa.array(hashes.keys(), pa.string()), pa.array(hashes.values(), pa.string()))
    return pa.table(columns, names=["file", "page_sha256"])
