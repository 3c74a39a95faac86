"""What a table holds, as one hash over its rows that depends neither on their order nor on the clock."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import advice
from pipeline.disk import Stamps, stamp
from pipeline.engine import Engine
from pipeline.errors import DamageError
from pipeline.models.tables import Table, row_digest
from pipeline.store.delta import DeltaStore

_MODULUS = 2**256


@dataclass(frozen=True)
class Content:
    """What a table holds at a version: its rows, and the sum of their 128-bit digests, whatever their order."""

    delta_version: int
    rows: int = 0
    total: int = 0

    @property
    def sha256(self) -> str:
        return hashlib.sha256(f"{self.rows}:{self.total:064x}".encode()).hexdigest()


def content_of(
    store: DeltaStore, engine: Engine, table: Table, version: int, before: Content | None, where: str = ""
) -> tuple[Content, dict[str, str]]:
    """Returns what a table, or its rows that match `where`, hold at `version`, and the digests of the files that are new.

    before: what the same rows held at an earlier version: only files that it did not have, or lost, are read
    """
    now = store.read(table.name, version)
    if before is not None and before.delta_version == now.version:
        return before, {}
    old_files = set(store.read(table.name, before.delta_version).files) if before is not None else set()
    added = _sums(engine, table, sorted(set(now.files) - old_files), where)
    removed = _sums(engine, table, sorted(old_files - set(now.files)), where)
    rows, total = (before.rows, before.total) if before is not None else (0, 0)
    rows += sum(held[0] for held in added.values()) - sum(held[0] for held in removed.values())
    total += sum(held[1] for held in added.values()) - sum(held[1] for held in removed.values())
    return Content(now.version, rows, total % _MODULUS), {name: _digest(held) for name, held in added.items()}


def verify_content(
    store: DeltaStore,
    engine: Engine,
    table: Table,
    version: int,
    expected: Content,
    digests: Callable[[], Mapping[str, str]],
    stamps: Stamps | None = None,
) -> Content:
    """Returns what a table holds at `version`, which must be what is expected of it.

    digests: returns what each Parquet file held when it was published, by name, to tell which one is damaged
    stamps:  how files looked when they were last hashed: those that still do are not hashed again; without, all are
    Raises DamageError where the content is another, or can't be read.
    """
    files, stamps = list(store.read(table.name, version).files), stamps or Stamps(Path())
    remembered = {file: digest for file in files if (digest := _remembered(stamps, table, file)) is not None}
    found = remembered | _hashed(engine, table, [file for file in files if file not in remembered], stamps)
    if not _adds_up(found, expected) and remembered:
        # What was remembered is a cache, and nobody is accused because a cache is wrong.
        found = _hashed(engine, table, files, stamps)
    if not _adds_up(found, expected):
        published = digests()
        wrong = [file for file, held in found.items() if published.get(Path(file).name, _digest(held)) != _digest(held)]
        where = ", ".join(sorted(wrong)) or str(store.path(table.name))
        raise DamageError(
            f"{where}: {table.name} at version {version} holds other rows than were published "
            f"(version {expected.delta_version}, {expected.rows} rows): the file was changed or damaged since; "
            f"{advice.way_out()}"
        )
    return Content(version, expected.rows, expected.total)


def remember(store: DeltaStore, stamps: Stamps, table: str, digests: Mapping[str, str]) -> None:
    """Remembers how files look that this process wrote and hashed."""
    for name, digest in digests.items():
        stamps.remember_own(f"{table}/{name}", digest, stamp(store.path(table) / name))


def _remembered(stamps: Stamps, table: Table, file: str) -> tuple[int, int] | None:
    """Returns the rows of a file and the sum of their digests, if it looks as it did when they were worked out."""
    rows, _, total = (stamps.hash_of(f"{table.name}/{Path(file).name}", Path(file)) or "").partition(":")
    try:
        return int(rows), int(total, 16)
    except ValueError:
        return None


def _hashed(engine: Engine, table: Table, files: list[str], stamps: Stamps) -> dict[str, tuple[int, int]]:
    """Returns the rows of files and the sums of their digests, by their paths, and remembers how the files looked before.

    Raises DamageError where texts are not what their hashes say.
    """
    seen = {file: stamp(Path(file)) for file in files if Path(file).is_file()}
    sums = _sums(engine, table, files)
    if files and table.proof:
        unproven = f"not coalesce({table.proof}, false)"
        engine.bind("run.proven", files, table.schema, unproven, with_names=True)
        if broken := engine.rows("select distinct filename from run.proven order by filename"):
            where = ", ".join(row["filename"] for row in broken)
            raise DamageError(f"{where}: {table.name} holds texts that are not what their hashes say; {advice.way_out()}")
    found = {file: sums.get(Path(file).name, (0, 0)) for file in files}
    for file, held in found.items():
        stamps.remember(f"{table.name}/{Path(file).name}", Path(file), _digest(held), seen=seen.get(file))
    return found


def _adds_up(found: Mapping[str, tuple[int, int]], expected: Content) -> bool:
    rows, total = sum(held[0] for held in found.values()), sum(held[1] for held in found.values()) % _MODULUS
    return (rows, total) == (expected.rows, expected.total)


def combined_hash(parts: Mapping[str, str]) -> str:
    """Returns one hash over named hashes."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()


def _sums(engine: Engine, table: Table, files: list[str], where: str = "") -> dict[str, tuple[int, int]]:
    """Returns the rows of Parquet files and the sum of their digests, by the files' names."""
    if not files:
        return {}
    lacking = engine.bind("run.hashed", files, table.schema, where, with_names=True)
    # The digests are added up in two halves: a sum of 128-bit numbers could overflow.
    digested = f"select filename, {row_digest(table, lacking)} as digest from run.hashed"
    rows = engine.rows(
        "select filename, count(*) as amount, sum(cast(digest & 18446744073709551615 as ubigint)) as low, "
        f"sum(cast(digest >> 64 as ubigint)) as high from ({digested}) group by filename"
    )
    return {Path(row["filename"]).name: (int(row["amount"]), int(row["low"]) + (int(row["high"]) << 64)) for row in rows}


def _digest(held: tuple[int, int]) -> str:
    rows, total = held
    return f"{rows}:{total % _MODULUS:x}"
