"""A seeded corpus for retrieval benchmarks: prose of Zipf's words with the names of code in it, and questions about it."""

import random
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from pipeline import models
from pipeline.engine import Engine
from pipeline.index import indexing
from pipeline.index.fulltext import Document
from pipeline.settings import builtin_sql

SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
WORDS = 60_000
COMMON = 2_000
NAMES_PER_DOCUMENT = 4
DOCUMENTS_PER_NAME = 4

SCHEMA = pa.schema({"id": pa.string(), "title": pa.string(), "content": pa.string()})
BATCH = 8192

Row = tuple[str, str, str]


@contextmanager
def one_thread() -> Iterator[Engine]:
    """Yields an engine with the functions of sql/."""
    with TemporaryDirectory(prefix="distill-bench-") as spill:
        engine = Engine(models.load([builtin_sql()]).functions.sql, threads=1, spill=Path(spill))
        try:
            yield engine
        finally:
            engine.close()


def batches(rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    rest = iter(rows)
    while taken := list(islice(rest, BATCH)):
        yield pa.record_batch([pa.array(column, pa.string()) for column in zip(*taken, strict=True)], SCHEMA)


def documents(engine: Engine, rows: Iterable[Row]) -> Iterator[Document]:
    """Yields rows as the index takes them."""
    for batch in batches(rows):
        engine.bind_arrow("run.rows", pa.Table.from_batches([batch]))
        yield from indexing.documents(engine, "run.rows")


@dataclass(frozen=True)
class Question:
    """What is asked, and which documents answer it.

    kind:  words: eight words of a document; name: an identifier, path or code as it stands there; parts: the words in it
    right: ids of the documents that hold what was asked for
    """

    kind: str
    text: str
    right: frozenset[str]


class Corpus:
    """Documents of 30 to 150 words; about four in each are names, and a name stands in about four documents."""

    def __init__(self, size: int, seed: int = 7) -> None:
        self.size, self._seed = size, seed
        chance = random.Random(seed)
        self._words = ["".join(chance.choices(SYLLABLES, k=2 + number % 3)) + _letters(number) for number in range(WORDS)]
        self._weights = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))
        amount = max(16, size * NAMES_PER_DOCUMENT // DOCUMENTS_PER_NAME)
        self._names = [self._name(chance, number) for number in range(amount)]

    def _name(self, chance: random.Random, number: int) -> str:
        parts = [self._words[chance.randrange(COMMON)] for _ in range(chance.randint(2, 4))]
        kind = number % 5
        if kind == 0:
            return "_".join(parts)
        if kind == 1:
            return "".join(part.capitalize() for part in parts)
        if kind == 2:
            return f"src/{parts[0]}/{'_'.join(parts[1:])}.py"
        if kind == 3:
            return f"E{chance.randrange(10**6):06d}"
        return f"{parts[0]}-{parts[1]}-{chance.randrange(100)}.{chance.randrange(100)}"

    def rows(self, seed: int = 1) -> Iterator[Row]:
        """Yields (id, title, content); another seed yields other documents."""
        chance = random.Random(self._seed * 1000 + seed)
        for _ in range(self.size):
            words = chance.choices(self._words, cum_weights=self._weights, k=chance.randint(30, 150))
            for _ in range(NAMES_PER_DOCUMENT):
                words[chance.randrange(len(words))] = chance.choice(self._names)
            yield f"rag-{chance.getrandbits(64):016x}", chance.choice(self._names), f"{' '.join(words)}."

    def questions(self, amount: int, read: Callable[[], Iterable[Row]]) -> list[Question]:
        """Returns so many questions of each kind about the rows, which are read twice."""
        chance = random.Random(self._seed + 1)
        step = max(1, self.size // amount)
        taken = list(islice(((row[0], row[2]) for number, row in enumerate(read()) if number % step == 0), amount))
        found = [Question("words", " ".join(chance.sample(text.rstrip(".").split(), 8)), frozenset([id])) for id, text in taken]
        known = set(self._names)
        names = [next(word for word in text.rstrip(".").split() if word in known) for _, text in taken]
        holding: dict[str, set[str]] = {name: set() for name in names}
        for id, title, text in read():
            for word in holding.keys() & {title, *text.rstrip(".").split()}:
                holding[word].add(id)
        for name in names:
            found.append(Question("name", name, frozenset(holding[name])))
            found.append(Question("parts", " ".join(parts(name)), frozenset(holding[name])))
        return found


def parts(name: str) -> list[str]:
    """Returns the words that a name is made of, as a person would type them."""
    return re.findall(r"[A-Z]+[a-z0-9]*|[a-z0-9]+", name)


def _letters(number: int) -> str:
    return "".join(chain("bcdfghjklm"[int(digit)] for digit in str(number)))
