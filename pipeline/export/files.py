"""Export tables to files: drafted beside the published ones, read again and checked, then moved into place."""

import errno
import shutil
from collections.abc import Container, Iterable
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from pipeline import advice
from pipeline.disk import Stamps, file_sha256, meanwhile, naming, to_disk
from pipeline.engine import ROWS_PER_BATCH, quoted
from pipeline.errors import DamageError, WarehouseError
from pipeline.export.corpora import EXPORTS, Export
from pipeline.export.mending import Change
from pipeline.export.splicing import splice, survey
from pipeline.run import Drafting, Run
from pipeline.store.snapshots import ExportFile

DRAFTS = ".drafts"
COPIED_BYTES = 8 * 1024 * 1024
# Below the warehouse: how the files looked when they were last hashed.
STAMPS = ".exports.json"


def draft(run: Run, export: Export, change: Change) -> ExportFile:
    """Writes the rows of an export table, sorted by id, to a file beside the published one.

    Where little changed, the published lines are copied and only the new rows are written; without a change there is no draft.
    Copying, hashing and bringing to the disk go on meanwhile; see `read_again`, `wait_for_hash`, `wait_for_files`.
    """
    target, new = draft_path(run.settings.exports, export.file), _new_lines(run, export)
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in (target, new):
        left.unlink(missing_ok=True)
    with naming(target):
        if change.whole or not _is_published(run, export):
            run.bind_now(export.table)
            _write_lines(run, export.table, export, target)
            hashing = meanwhile(partial(file_sha256, target))
        elif not change.added and not change.removed:
            return run.files[export.file]
        else:
            if change.added:
                _write_lines(run, change.new_rows, export, new)
            else:
                new.write_bytes(b"")
            published = run.settings.exports / export.file
            hashing = meanwhile(partial(splice, published, new, change.removed, target))
        run.drafting[export.file] = Drafting(hashing, meanwhile(partial(_save_when_read, hashing, target)))
    return ExportFile(export.file, 0, run.content(export.table).rows, sha256="")


def _save_when_read(hashing: "Future[str]", target: Path) -> None:
    hashing.result()
    to_disk(target)


def wait_for_hash(run: Run, export: Export) -> None:
    """Completes a file that was drafted: its hash was worked out meanwhile."""
    if drafting := run.drafting.get(export.file):
        path = draft_path(run.settings.exports, export.file)
        with naming(path):
            run.files[export.file] = replace(
                run.files[export.file], bytes=path.stat().st_size, sha256=drafting.hashing.result()
            )


def wait_for_files(run: Run) -> None:
    """Waits until what was drafted would outlive a power failure."""
    for name, drafting in run.drafting.items():
        with naming(draft_path(run.settings.exports, name)):
            drafting.saving.result()


def abandon(run: Run) -> None:
    """Waits until nobody writes or reads drafts any more: they are to be taken away, or others may come to the warehouse."""
    wait([drafting.hashing for drafting in run.drafting.values()])


def bind_published(run: Run, export: Export) -> None:
    """Binds the published file of an export as `read_again` binds a draft: all of its lines are to be looked at anew."""
    drop_drafts(run.settings.exports)
    _bind_file(run, export, run.settings.exports / export.file, run.settings.exports / export.file, export.table)


def draft_again(run: Run, export: Export, version: int, file: ExportFile) -> None:
    """Writes a file as it was published with a version of its table. Raises DamageError where it comes out otherwise.

    Its lines have the columns that the table had then.
    """
    if is_in_place(run.settings.exports, file, run.stamps):
        return
    target = draft_path(run.settings.exports, export.file)
    target.parent.mkdir(parents=True, exist_ok=True)
    lacking = run.engine.bind(export.table, run.store.read(export.table, version).files, run.store.tables[export.table].schema)
    with naming(target):
        _write_lines(run, export.table, export, target, lacking)
        to_disk(target)
    if file_sha256(target) != file.sha256:
        raise DamageError(
            f"{run.store.path(export.table)}: version {version} does not give {export.file} with the bytes that were published "
            f"(sha256 {file.sha256}): a file of that table was changed or damaged since, or another DuckDB wrote it; "
            f"{advice.way_out()}"
        )


def read_again(run: Run, export: Export, change: Change) -> None:
    """Reads a draft back and holds it against what it should be. Raises GateError where it is anything else.

    What was copied was read back as it is in the published file, which was read back when it was made.
    All other lines must be the table's, which checks in SQL see to: they read the whole file as `files.<export>`, the lines
    that were not copied as `files.<export>_new` and `files.<export>_lines`, what these should be as `files.<export>_expected`.
    """
    target, new = draft_path(run.settings.exports, export.file), _new_lines(run, export)
    if new.exists() and (drafting := run.drafting.get(export.file)):
        with naming(target):
            drafting.hashing.result()
    fresh, rows = target, export.table
    if new.exists() or not target.exists():
        if not target.exists():
            target = run.settings.exports / export.file
        fresh, rows = new, change.new_rows or f"(select * from {export.table} where false)"
        new.touch()
    _bind_file(run, export, target, fresh, rows)


def new_places(run: Run, export: Export) -> str:
    """Returns the SQL of where the records stand that the lines of `files.<export>_new` were made of."""
    schema = run.store.tables[export.table].schema
    sides = [field.name for field in schema if pa.types.is_struct(field.type) and field.name.endswith("provenance")]
    columns = ("source_file", "line_offset", "sig_hash")
    parts = (
        f"select {', '.join(f'{side}.{name} as {name}' for name in columns)} from files.{export.name}_new" for side in sides
    )
    return " union all ".join(parts)


def _bind_file(run: Run, export: Export, path: Path, fresh: Path, rows: str) -> None:
    """Binds a file as `files.<export>`, and those of its lines that stand in `fresh`, with the `rows` that they should be."""
    longest = run.state.setdefault("longest_lines", {})
    longest[export.name] = max(survey(fresh), longest.get(export.name, 0) if fresh != path else 0)
    run.bind_now(export.table)
    _bind_lines(run, f"files.{export.name}", export, path, longest[export.name])
    _bind_lines(run, f"files.{export.name}_new", export, fresh, longest[export.name])
    size = max(longest[export.name] + 1, 2 * 1024 * 1024)
    options = (
        f"header = false, delim = '', quote = '', escape = '', new_line = '\\n', max_line_size = {size}, auto_detect = false"
    )
    lines = f"select line from read_csv({quoted(str(fresh))}, columns = {{'line': 'varchar'}}, {options})"
    run.engine.define(f"files.{export.name}_lines", lines)
    expected = f"select cast(to_json(row) as varchar) as line from (select {_columns(run, export)} from {rows}) as row"
    run.engine.define(f"files.{export.name}_expected", expected)


def _is_published(run: Run, export: Export) -> bool:
    file = run.files.get(export.file)
    return file is not None and is_in_place(run.settings.exports, file, run.stamps)


def _new_lines(run: Run, export: Export) -> Path:
    return draft_path(run.settings.exports, export.file).with_suffix(".new")


def _columns(run: Run, export: Export, lacking: Container[str] = ()) -> str:
    return ", ".join(_json_column(field) for field in run.store.tables[export.table].schema if field.name not in lacking)


def _write_lines(run: Run, rows: str, export: Export, target: Path, lacking: Container[str] = ()) -> None:
    """Writes rows as lines, by id: all at once, or some at a time where their texts are long."""
    select, at_once = f"select {_columns(run, export, lacking)} from {rows}", run.engine.rows_at_once(rows)
    if at_once == ROWS_PER_BATCH:
        run.engine.execute(f"copy ({select} order by id) to {quoted(str(target))} (format json)")
        return
    part = target.with_suffix(".part")
    ids = [row["id"] for row in run.engine.rows(f"select id from {rows} order by id")]
    with target.open("wb") as whole:
        for start in range(0, len(ids), at_once):
            first, last = ids[start], ids[min(start + at_once, len(ids)) - 1]
            those = f"{select} where id between {quoted(first)} and {quoted(last)} order by id"
            run.engine.execute(f"copy ({those}) to {quoted(str(part))} (format json)")
            with part.open("rb") as lines:
                shutil.copyfileobj(lines, whole, COPIED_BYTES)
    part.unlink(missing_ok=True)


def _bind_lines(run: Run, name: str, export: Export, path: Path, longest: int) -> None:
    """Makes `name` a view on a file of lines, as a reader outside would read it."""
    columns = ", ".join(f"{quoted(f.name)}: {quoted(_json_type(f.type))}" for f in run.store.tables[export.table].schema)
    size = max(longest + 1, 1024 * 1024)  # DuckDB reserves several times this much
    reader = (
        f"read_json({quoted(str(path))}, format = 'newline_delimited', columns = {{{columns}}}, maximum_object_size = {size})"
    )
    run.engine.define(name, f"select * from {reader}")


def draft_path(exports: Path, file: str) -> Path:
    return exports / DRAFTS / file


def is_in_place(exports: Path, file: ExportFile, stamps: Stamps) -> bool:
    """True where the published file is there with the bytes that were published."""
    path = exports / file.path
    if not path.is_file():
        return False
    if stamps.known(file.path, path, file.sha256) is None:
        if file_sha256(path) != file.sha256:
            return False
        stamps.remember(file.path, path, file.sha256)
    return True


def must_take_drafts(exports: Path, *folders: str) -> None:
    """Raises WarehouseError where drafts can't be moved to these folders: a look at what they are, before any work."""
    device = exports.stat().st_dev
    for folder in (exports / name for name in (DRAFTS, *folders)):
        if folder.is_dir():
            if folder.stat().st_dev != device:
                raise _elsewhere(exports, folder)
        elif folder.exists() or folder.is_symlink():
            raise WarehouseError(f"{folder}: is no folder, and one belongs there; {advice.try_again()}")


def make_places(exports: Path, files: Iterable[ExportFile]) -> None:
    """Makes sure that drafts can be moved to where they belong: better to fail before a run is published than after.

    Raises OSError, or WarehouseError where only a look at the folder tells what is wrong.
    """
    for file in files:
        source, target = draft_path(exports, file.path), exports / file.path
        if not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder where a file belongs", str(target))
        if target.is_mount():
            raise OSError(errno.EBUSY, "is mounted by itself, so no new file can take its place", str(target))
        _try_move(exports, source.with_name(f".{target.name}.probe"), target.with_name(f".{target.name}.probe"))


def _try_move(exports: Path, source: Path, target: Path) -> None:
    source.write_bytes(b"")
    try:
        source.replace(target)
    except OSError as error:
        source.unlink()
        if error.errno == errno.EXDEV:
            raise _elsewhere(exports, target.parent) from error
        raise OSError(error.errno, error.strerror, str(target)) from error
    target.unlink()


def _elsewhere(exports: Path, folder: Path) -> WarehouseError:
    return WarehouseError(
        f"{folder}: lies on another file system than {exports}, so a published file can't be moved there in one step; "
        f"next: make it an ordinary folder, or let --exports name a folder on that file system, and give the same command again"
    )


def put_in_place(exports: Path, files: Iterable[ExportFile], *, trusted: bool = False) -> list[ExportFile]:
    """Moves drafts over the published files, and returns those. Done again after a kill, it finishes what was begun.

    trusted: the drafts were hashed just now; otherwise they are hashed again before they count.
    """
    moved = []
    for file in files:
        source, target = draft_path(exports, file.path), exports / file.path
        if source.is_file() and (trusted or file_sha256(source) == file.sha256):
            target.parent.mkdir(parents=True, exist_ok=True)
            _replace(source, target)
            moved.append(file)
    drop_drafts(exports)
    return moved


def _replace(source: Path, target: Path) -> None:
    """Moves a file over another. To take back the memory of that takes the system half a second per GB: meanwhile."""
    try:
        held = target.open("rb") if target.is_file() else None
    except OSError:
        held = None
    source.replace(target)
    if held is not None:
        meanwhile(held.close)


def drop_others(exports: Path, published: Container[str]) -> None:
    """Removes the export files that a restored state, which is older than they are, did not have."""
    for export in EXPORTS:
        if export.file not in published:
            (exports / export.file).unlink(missing_ok=True)


def drop_drafts(exports: Path) -> None:
    shutil.rmtree(exports / DRAFTS, ignore_errors=True)


def _json_column(field: pa.Field) -> str:
    name = f'"{field.name}"'
    if pa.types.is_timestamp(field.type):
        return f"{_json_time(name)} as {name}"
    if pa.types.is_struct(field.type):
        inner = (field.type.field(i) for i in range(field.type.num_fields))
        return f"{{{', '.join(_json_member(name, member) for member in inner)}}} as {name}"
    return name


def _json_member(name: str, member: pa.Field) -> str:
    value = f"{name}['{member.name}']"
    return f"'{member.name}': {_json_time(value) if pa.types.is_timestamp(member.type) else value}"


def _json_time(value: str) -> str:
    return f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%fZ')"


def _json_type(kind: pa.DataType) -> str:
    """The type that a column of the file is read back as; times stay text, as they stand there."""
    if pa.types.is_struct(kind):
        members = (kind.field(i) for i in range(kind.num_fields))
        return f"STRUCT({', '.join(f'{m.name} {_json_type(m.type)}' for m in members)})"
    if pa.types.is_list(kind):
        return f"{_json_type(kind.value_type)}[]"
    return "BIGINT" if pa.types.is_integer(kind) else "VARCHAR"
