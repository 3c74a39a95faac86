"""Which rows of the retrieval corpus fit a task: by BM25 from the index, or by the share of words in common."""

import heapq

from pipeline.search import Corpus

RETRIEVERS = ("bm25", "jaccard")


def retrieve(corpus: Corpus, task: str, k: int, retriever: str) -> list[tuple[str, float]]:
    """Returns ids and scores of the best `k` rows, by score and then by id."""
    if retriever == "jaccard":
        return by_overlap(corpus, task, k)
    return corpus.search(task, k)


def by_overlap(corpus: Corpus, task: str, k: int) -> list[tuple[str, float]]:
    """Returns the rows whose words overlap most with the task's. Reads all of them: the baseline, not a way to search."""
    asked = tokens(*corpus.question(task))
    if not asked:
        return []
    scored = ((-overlap(asked, tokens(held.words, held.names)), held.id) for held in corpus.documents())
    best = heapq.nsmallest(k, (pair for pair in scored if pair[0] < 0))
    return [(id, round(-score, 4)) for score, id in best]


def tokens(words: str, names: str) -> frozenset[str]:
    """Returns the words and the names of a text that was cut for the index, in lower case."""
    bare = "".join(sign if sign.isalnum() else " " for sign in words)
    return frozenset(f"{bare} {names}".lower().split())


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Returns the Jaccard similarity: what two sets have in common, as a share of all that they have."""
    common = len(one & other)
    return common / (len(one) + len(other) - common) if common else 0.0
