"""What a table holds, as one hash over its rows that depends neither on their order nor on the clock."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import advice
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
    store: DeltaStore, engine: Engine, table: Table, version: int, expected: Content, digests: Mapping[str, str]
) -> Content:
    """Reads all of a table at `version` and returns its content, which must be the expected one.

    digests: what each Parquet file held when it was published, by name, to tell which one is damaged
    Raises DamageError where the content is another, or can't be read.
    """
    sums = _sums(engine, table, list(store.read(table.name, version).files))
    rows, total = sum(held[0] for held in sums.values()), sum(held[1] for held in sums.values()) % _MODULUS
    if (rows, total) != (expected.rows, expected.total):
        wrong = [
            str(store.path(table.name) / name)
            for name, held in sums.items()
            if digests.get(name, _digest(held)) != _digest(held)
        ]
        where = ", ".join(wrong) or str(store.path(table.name))
        raise DamageError(
            f"{where}: {table.name} at version {version} holds other rows than were published "
            f"(version {expected.delta_version}, {expected.rows} rows): the file was changed or damaged since; "
            f"{advice.way_out()}"
        )
    if table.proof:
        unproven = f"not coalesce({table.proof}, false)"
        engine.bind("run.proven", store.read(table.name, version).files, table.schema, unproven, with_names=True)
        if broken := engine.rows("select distinct filename from run.proven order by filename"):
            where = ", ".join(row["filename"] for row in broken)
            raise DamageError(
                f"{where}: {table.name} at version {version} holds texts that are not what their hashes say; {advice.way_out()}"
            )
    return Content(version, rows, total)


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
