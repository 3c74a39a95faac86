"""Full-text search over titles and contents, ranked by BM25: the one place that imports tantivy.

An index is a folder of segments, none of which ever changes: writing adds some, and names those that count in `meta.json`.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import tantivy
from tantivy.tantivy import __version__ as tantivy_version

from pipeline.errors import DamageError, WarehouseError

# Raise the number with any change to the fields, the analyzers, or to `spaced` and `names_in` in sql/functions.sql: then every
# index is built anew.
FORMAT = f"3, tantivy {tantivy_version}"
META = "meta.json"
HEAP_BYTES = 64 * 1024 * 1024
# Longer words are data, such as keys and blobs; a sha256 and most paths are shorter.
WORD_BYTES = 256
# Of a longer question, the rarest terms are asked for: common ones would decide nothing and cost most.
MAX_TERMS = 128
# Equal documents may differ in the last bits of their score: it is a sum of floats, in no fixed order.
DIGITS = 4


class Document(NamedTuple):
    """What is to be found, cut as sql/functions.sql says: `words` are texts with spaces between words, `names` stand whole."""

    id: str
    title: str
    words: str
    names: str


class Hit(NamedTuple):
    """A document that was found. The score says how it compares with others of the same search, and nothing more."""

    id: str
    score: float
    title: str


@dataclass(frozen=True)
class Shape:
    """What an index is made of.

    files:     the files that count, by name
    documents: how many can be found
    deleted:   how many were taken out and still weigh on the statistics, until their segment is merged
    """

    files: tuple[str, ...]
    documents: int
    deleted: int


def write(folder: Path, documents: Iterable[Document], gone: Iterable[str] = ()) -> None:
    """Adds documents to the index in a folder, which may be empty, after taking out those with the ids of `gone`."""
    with _explained(folder):
        path = str(folder)
        index = _registered(tantivy.Index.open(path) if (folder / META).exists() else tantivy.Index(_schema(), path=path))
        writer = index.writer(heap_size=HEAP_BYTES, num_threads=1)
        for id in gone:
            writer.delete_documents_by_term("id", id)
        for id, title, words, names in documents:
            writer.add_document(tantivy.Document(id=id, title=title.encode(), words=words, names=names))
        writer.commit()
        writer.wait_merging_threads()


def shape(folder: Path) -> Shape:
    """Returns what the index in a folder is made of. Raises DamageError where that can't be read."""
    try:
        segments = json.loads((folder / META).read_text(encoding="utf-8"))["segments"]
        held = {segment["segment_id"].replace("-", ""): segment for segment in segments}
        files = [META, ".managed.json"]
        for path in sorted(folder.iterdir()):
            segment = held.get(path.name.split(".")[0])
            if segment is not None and (path.suffix != ".del" or path.suffixes == _deletes(segment)):
                files.append(path.name)
        deleted = sum((segment["deletes"] or {}).get("num_deleted_docs", 0) for segment in segments)
        return Shape(tuple(files), sum(segment["max_doc"] for segment in segments) - deleted, deleted)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamageError(f"{folder}: the list of its segments can't be read: {error}") from error


def _deletes(segment: dict[str, dict[str, int]]) -> list[str]:
    return [f".{(segment['deletes'] or {}).get('opstamp')}", ".del"]


class Index:
    """An index opened for reading; close it after use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Reading takes a lock, which is a file: so it is made elsewhere, and the index itself may stand where nobody can write.
        self._view = TemporaryDirectory(prefix="distill-index-", ignore_cleanup_errors=True)
        try:
            with _explained(folder):
                for name in shape(folder).files:
                    if name.endswith(".json"):
                        shutil.copyfile(folder / name, Path(self._view.name) / name)
                    else:
                        (Path(self._view.name) / name).symlink_to(folder.absolute() / name)
                self._index = _registered(tantivy.Index.open(self._view.name))
                self._index.config_reader("manual")
                self._searcher = self._index.searcher()
        except BaseException:
            self._view.cleanup()
            raise

    def close(self) -> None:
        # Both watch their folder until they are gone, and would take a lock in it while it is being removed.
        del self._searcher, self._index
        self._view.cleanup()

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, words: str, names: str, k: int) -> list[Hit]:
        """Returns the best `k` documents, by score and then by id. What is asked for is cut as they are: words, no syntax."""
        with _explained(self._folder):
            terms = self._terms(words, names)
            if not terms or k < 1:
                return []
            schema = self._index.schema
            any_of = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, field, term, "freq")) for field, term in terms]
            hits = self._hits(tantivy.Query.boolean_query(any_of), min(k, len(self)))
            found = []
            for score, address in hits:
                stored = self._searcher.doc(address)
                found.append(Hit(stored["id"][0], score, bytes(stored["title"][0]).decode()))
            return sorted(found, key=lambda hit: (-hit.score, hit.id))[:k]

    def ids(self) -> Iterator[str]:
        """Yields the id of every document, in no order."""
        with _explained(self._folder):
            found = self._searcher.search(tantivy.Query.all_query(), max(1, len(self)), count=False)
            for _, address in found.hits:
                yield self._searcher.doc(address)["id"][0]

    def _terms(self, words: str, names: str) -> list[tuple[str, str]]:
        asked = [("words", term) for term in _WORDS.analyze(words)]
        asked += [("names", term) for term in _NAMES.analyze(names)]
        known = ((self._searcher.doc_freq(field, term), field, term) for field, term in set(asked))
        rarest = sorted(term for term in known if term[0])[:MAX_TERMS]
        return [(field, term) for _, field, term in rarest]

    def _hits(self, query: tantivy.Query, k: int) -> list[tuple[float, tantivy.DocAddress]]:
        """Returns at least the best `k`, and all that are as good as the last of these."""
        wanted = 2 * k
        while True:
            limit = min(wanted, len(self))
            hits = [(round(score, DIGITS), address) for score, address in self._searcher.search(query, limit, count=False).hits]
            if len(hits) < limit or limit == len(self) or hits[-1][0] < hits[k - 1][0]:
                return hits
            wanted *= 8


def _analyzer(tokenizer: tantivy.Tokenizer) -> tantivy.TextAnalyzer:
    short = tantivy.TextAnalyzerBuilder(tokenizer).filter(tantivy.Filter.remove_long(WORD_BYTES))
    return short.filter(tantivy.Filter.lowercase()).build()


_WORDS = _analyzer(tantivy.Tokenizer.simple())
_NAMES = _analyzer(tantivy.Tokenizer.whitespace())


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_bytes_field("title", stored=True)
    builder.add_text_field("words", tokenizer_name="distill_words", index_option="freq")
    builder.add_text_field("names", tokenizer_name="distill_names", index_option="freq")
    return builder.build()


def _registered(index: tantivy.Index) -> tantivy.Index:
    index.register_tokenizer("distill_words", _WORDS)
    index.register_tokenizer("distill_names", _NAMES)
    return index


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError, RuntimeError) as error:
        raise WarehouseError(f"{folder}: the index can't be read or written: {error}") from error
    except BaseException as error:
        # What tantivy says of segments that it can't make sense of; the class can't be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise DamageError(f"{folder}: the index is damaged: {error}") from None
