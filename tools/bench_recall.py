"""Which retriever finds what a task needs: BM25 from the index, or the share of words in common, on the same seeded rows.

`make bench-retrieval`, or `python -m tools.bench_recall --sizes 1000,100000`. Two kinds of tasks. A known item: eight words of
a document. A paraphrase: four of its words, a name in it taken apart, and eight words that others have. Times are CPU seconds.
"""

import argparse
import heapq
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipeline.engine import Engine
from pipeline.index import fulltext, indexing
from pipeline.replay.retrieval import by_overlap, overlap, tokens
from tools.bench_corpus import Corpus, documents, one_thread, parts

K = 8


@dataclass(frozen=True)
class Task:
    kind: str
    text: str
    right: str


def tasks_of(corpus: Corpus, amount: int) -> list[Task]:
    """Returns so many tasks of each kind."""
    chance, step = random.Random(11), max(1, corpus.size // amount)
    rows = list(islice((row for number, row in enumerate(corpus.rows()) if number % step == 0), amount + 1))
    found = []
    for (id, _, content), (_, _, other) in zip(rows, [*rows[1:], rows[0]], strict=True):
        words = content.rstrip(".").split()
        found.append(Task("known item", " ".join(chance.sample(words, 8)), id))
        name = next((word for word in words if len(parts(word)) > 1), words[0])
        said = [*chance.sample(words, 4), *parts(name), *chance.sample(other.rstrip(".").split(), 8)]
        chance.shuffle(said)
        found.append(Task("paraphrase", " ".join(said), id))
    return found[: 2 * amount]


def recall(found: Sequence[Sequence[str]], tasks: Sequence[Task], kind: str) -> float:
    hits = [task.right in ids for ids, task in zip(found, tasks, strict=True) if task.kind == kind]
    return sum(hits) / len(hits)


def timed(search: Callable[[str], Any], texts: Sequence[str]) -> list[float]:
    took = []
    for text in texts:
        started = time.process_time()
        search(text)
        took.append((time.process_time() - started) * 1000)
    return took


def by_jaccard(engine: Engine, corpus: Corpus, tasks: Sequence[Task], scans: int) -> tuple[list[list[str]], list[float]]:
    """Returns what jaccard finds for every task, in one pass over the rows; and the ms that so many whole searches take."""
    rows = SimpleNamespace(
        documents=lambda: documents(engine, corpus.rows()), question=lambda text: indexing.question(engine, text)
    )
    asked = [tokens(*rows.question(task.text)) for task in tasks]
    best: list[list[tuple[float, str]]] = [[] for _ in tasks]
    for document in rows.documents():
        held = tokens(document.words, document.names)
        for place, words in enumerate(asked):
            if score := overlap(words, held):
                best[place].append((-score, document.id))
        if len(best[0]) > 10_000:
            best = [heapq.nsmallest(K, scored) for scored in best]
    found = [[id for _, id in heapq.nsmallest(K, scored)] for scored in best]
    generated = timed(lambda text: sum(1 for _ in corpus.rows()), [""])[0]
    took = timed(lambda text: by_overlap(rows, text, K), [task.text for task in tasks[:scans]])  # type: ignore[arg-type]
    return found, [one - generated for one in took]


def by_bm25(engine: Engine, corpus: Corpus, tasks: Sequence[Task]) -> tuple[list[list[str]], list[float]]:
    """Returns what the index finds for every task, and the ms of each search."""
    with tempfile.TemporaryDirectory(prefix="distill-bench-") as folder:
        fulltext.write(Path(folder), documents(engine, corpus.rows()))
        index = fulltext.Index(Path(folder))
        try:

            def search(text: str) -> list[str]:
                return [hit.id for hit in index.search(*indexing.question(engine, text), K)]

            return [search(task.text) for task in tasks], timed(search, [task.text for task in tasks])
        finally:
            index.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,100000", help="how many documents, with commas")
    parser.add_argument("--tasks", type=int, default=50, help="how many of each kind")
    parser.add_argument("--scans", type=int, default=3, help="how many searches of jaccard are timed, each over all documents")
    arguments = parser.parse_args()
    print(f"| documents | retriever | recall@{K} known items | paraphrases | p50 ms | worst ms |\n|---|---|---|---|---|---|")
    for size in map(int, arguments.sizes.split(",")):
        corpus = Corpus(size)
        tasks = tasks_of(corpus, arguments.tasks)
        for name, search in (("bm25", by_bm25), ("jaccard", partial(by_jaccard, scans=arguments.scans))):
            with one_thread() as engine:
                found, took = search(engine, corpus, tasks)
            known, said = (recall(found, tasks, kind) for kind in ("known item", "paraphrase"))
            p50, worst = statistics.median(took), max(took)
            print(f"| {size:,} | {name} | {known:.2f} | {said:.2f} | {p50:,.1f} | {worst:,.1f} |", flush=True)


if __name__ == "__main__":
    main()
