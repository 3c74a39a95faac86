"""The engines that `tools.bench_retrieval` compares. Each keeps its index in a folder of its own."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from pipeline.index import fulltext, indexing
from tools.bench_corpus import Row, documents, one_thread

NAMES = ("id", "title", "content")


class Retriever(Protocol):
    """What is measured: an index built, asked, weighed, and brought up to other rows."""

    def build(self, rows: Iterable[Row]) -> None: ...

    def search(self, text: str, k: int) -> list[str]: ...

    def bytes(self) -> int: ...

    def replace(self, gone: Sequence[str], rows: Sequence[Row]) -> None: ...


class Tantivy:
    """What `distill index` and `distill search` do."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._open = ExitStack()
        self._engine = self._open.enter_context(one_thread())

    def build(self, rows: Iterable[Row]) -> None:
        fulltext.write(self._folder, documents(self._engine, rows))
        self._index = fulltext.Index(self._folder)

    def search(self, text: str, k: int) -> list[str]:
        return [hit.id for hit in self._index.search(*indexing.question(self._engine, text), k)]

    def bytes(self) -> int:
        return sum((self._folder / name).stat().st_size for name in fulltext.shape(self._folder).files)

    def replace(self, gone: Sequence[str], rows: Sequence[Row]) -> None:
        self._index.close()
        fulltext.write(self._folder, documents(self._engine, rows), gone)


class Fts5:
    """SQLite's FTS5 as Python's own sqlite3 has it; its file holds the texts too."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._path = folder / "fts5.db"
        self._connection = sqlite3.connect(self._path)
        for setting in ("journal_mode = off", "synchronous = off", "cache_size = -200000"):
            self._connection.execute(f"pragma {setting}")
        self._connection.execute("create virtual table rows using fts5(id unindexed, title, content)")

    def build(self, rows: Iterable[Row]) -> None:
        self._connection.executemany("insert into rows values (?, ?, ?)", rows)
        self._connection.commit()

    def search(self, text: str, k: int) -> list[str]:
        any_of = " or ".join(f'"{word}"' for word in words(text)).replace(" or ", " OR ")
        found = self._connection.execute("select id from rows where rows match ? order by rank limit ?", (any_of, k))
        return [row[0] for row in found]

    def bytes(self) -> int:
        return self._path.stat().st_size

    def replace(self, gone: Sequence[str], rows: Sequence[Row]) -> None:
        # An id that is not indexed is found by reading all rows, once.
        marks = ", ".join("?" * len(gone))
        self._connection.execute(f"delete from rows where id in ({marks})", gone)
        self.build(rows)


class DuckDb:
    """DuckDB's extension fts, which builds its index anew after every change; its file holds the texts too."""

    def __init__(self, folder: Path, ignored: str) -> None:
        spec = find_spec("duckdb_extension_fts")
        if spec is None or spec.origin is None:
            raise SystemExit("DuckDB's fts is not installed: pip install -e '.[bench]'")
        folder.mkdir()
        self._path, self._ignored = folder / "fts.duckdb", ignored
        # The wheel's file may lack the signature that an installed one has.
        config: dict[str, Any] = {"threads": "1", "memory_limit": "2GB", "allow_unsigned_extensions": "true"}
        self._connection = duckdb.connect(str(self._path), config=config)
        (extension,) = Path(spec.origin).parent.rglob("*.duckdb_extension")
        self._connection.execute(f"load '{extension}'")
        self._connection.execute("create table rows (id varchar, title varchar, content varchar)")

    def build(self, rows: Iterable[Row]) -> None:
        table = pa.table(dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True)))
        self._connection.register("incoming", table)
        self._connection.execute("insert into rows select * from incoming")
        options = f"stemmer = 'none', stopwords = 'none', ignore = '{self._ignored}', overwrite = 1"
        self._connection.execute(f"pragma create_fts_index('rows', 'id', 'title', 'content', {options})")

    def search(self, text: str, k: int) -> list[str]:
        scored = "select id, fts_main_rows.match_bm25(id, ?) as score from rows"
        query = f"select id from ({scored}) where score is not null order by score desc, id limit ?"
        return [row[0] for row in self._connection.execute(query, [text, k]).fetchall()]

    def bytes(self) -> int:
        self._connection.execute("checkpoint")
        return self._path.stat().st_size

    def replace(self, gone: Sequence[str], rows: Sequence[Row]) -> None:
        self._connection.execute("delete from rows where id in (select unnest(?))", [list(gone)])
        self.build(rows)


def words(text: str) -> list[str]:
    return re.findall(r"\w+(?:[./-]\w+)*", text)


# `ignore` says what stands between words; by default it takes digits away.
ENGINES: dict[str, Callable[[Path], Retriever]] = {
    "tantivy": Tantivy,
    "fts5": Fts5,
    "duckdb-names": lambda folder: DuckDb(folder, r"([^a-z0-9_/.-]|[/.-]+(\s|$))+"),
    "duckdb-words": lambda folder: DuckDb(folder, "[^a-z0-9]+"),
}
