"""The retrieval corpus searched: the index of a published state, opened for reading, and what was found in it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import advice
from pipeline.disk import temporary_folder
from pipeline.engine import Engine
from pipeline.errors import UsageError, WarehouseError
from pipeline.index import fulltext, indexing, shelf
from pipeline.index.fulltext import Hit
from pipeline.index.indexing import SOURCE
from pipeline.reader import Warehouse
from pipeline.store.snapshots import Snapshot

__all__ = ["Corpus", "Found", "Hit", "opened", "search", "trouble"]


@dataclass(frozen=True)
class Found:
    """What a search found, best first.

    rows: of each hit id, score, title, content, category, source (the file and line that it comes from, counted from 1)
    note: what is worth knowing of the index that was asked; None where there is nothing to say
    """

    snapshot: Snapshot
    rows: list[dict[str, Any]]
    note: str | None


class Corpus:
    """The retrieval corpus of one published state."""

    def __init__(
        self, warehouse: Warehouse, snapshot: Snapshot, index: fulltext.Index, engine: Engine, note: str | None
    ) -> None:
        self.warehouse, self.snapshot, self.engine, self.note = warehouse, snapshot, engine, note
        self._index = index

    def search(self, text: str, k: int = 8) -> list[tuple[str, float]]:
        """Returns ids and scores of the best `k` rows, by score and then by id. Whatever the text is, it is only words."""
        return [(hit.id, hit.score) for hit in self._index.search(*self.question(text), k)]

    def question(self, text: str) -> tuple[str, str]:
        """Returns the words and the names of a text, cut as those of documents are."""
        return indexing.question(self.engine, text)

    def rows(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Returns the rows of the corpus that have these ids, by id."""
        marks = ", ".join("?" * len(ids))
        found = self.engine.rows(f"select * from {SOURCE} where id in ({marks})", list(ids)) if ids else []
        return {row["id"]: row for row in found}

    def documents(self) -> Iterator[fulltext.Document]:
        """Yields every row of the corpus as the index takes it, in no order."""
        return indexing.documents(self.engine, SOURCE)


@contextmanager
def opened(warehouse: Warehouse, as_of: str | None = None) -> Iterator[Corpus]:
    """Yields the corpus of a state, by default the newest. Where its index is not there whole, one is built for this alone."""
    with warehouse.opened() as engine:
        snapshot = warehouse.find(engine, as_of)
        if SOURCE not in snapshot.tables:
            raise WarehouseError(f"run {snapshot.run_id} had no table {SOURCE} yet; name a later one with --as-of")
        engine.bind(SOURCE, warehouse.files(SOURCE, snapshot), warehouse.schema(SOURCE))
        with _index(warehouse, snapshot, engine) as (index, note):
            yield Corpus(warehouse, snapshot, index, engine, note)


def search(warehouse: Warehouse, text: str, k: int = 8, as_of: str | None = None) -> Found:
    """Searches the corpus of a state once. Raises UsageError for a `k` below 1."""
    if k < 1:
        raise UsageError(f"{k} results make no sense; ask for 1 or more")
    with opened(warehouse, as_of) as corpus:
        hits = corpus.search(text, k)
        rows = corpus.rows([id for id, _ in hits])
        return Found(corpus.snapshot, [_shown(rows[id], score) for id, score in hits if id in rows], corpus.note)


def trouble(warehouse: Warehouse, snapshot: Snapshot) -> str | None:
    """Returns what an operator should know of the index of a state; files are not read, only looked at."""
    name = indexing.name_in(snapshot)
    if name is None or not (snapshot.tables[SOURCE].rows or "index" in snapshot.stages):
        return None
    flaw = shelf.flaw(shelf.place(warehouse.store.root, name))
    if flaw is None:
        return None
    held = snapshot.state.get(indexing.STATE)
    if held is not None and held["name"] != name:
        return f"the full-text index is of another {SOURCE} than was published; `{advice.command('index')}`"
    return f"the full-text index {name} {flaw}; `{advice.command('index')}`"


@contextmanager
def _index(warehouse: Warehouse, snapshot: Snapshot, engine: Engine) -> Iterator[tuple[fulltext.Index, str | None]]:
    folder, note = shelf.place(warehouse.store.root, indexing.name_in(snapshot) or ""), None
    with temporary_folder("distill-index-") as temporary:
        index = _whole(folder)
        if index is None:
            note = f"run {snapshot.run_id} has no index on disk, so one was built for this search alone"
            fulltext.write(temporary, indexing.documents(engine, SOURCE))
            index = fulltext.Index(temporary)
        try:
            yield index, note
        finally:
            index.close()


def _whole(folder: Path) -> fulltext.Index | None:
    if shelf.flaw(folder) is not None:
        return None
    try:
        return fulltext.Index(folder)
    except WarehouseError:
        return None


def _shown(row: dict[str, Any], score: float) -> dict[str, Any]:
    origin = row["provenance"]
    return {
        "id": row["id"],
        "score": score,
        "title": row["title"],
        "content": row["content"],
        "category": row["source_category"],
        "source": f"{origin['source_file']}:{origin['line_offset'] + 1}",
    }
