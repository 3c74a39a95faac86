"""How full-text engines compare: the index of `distill index` (tantivy), SQLite's FTS5 and DuckDB's fts, on the same rows.

`make bench-index`, or `python -m tools.bench_retrieval --sizes 1000,100000 --engines tantivy,fts5`. The rows are seeded, so
everybody measures the same; each engine runs in a process of its own, on one thread, and times are CPU seconds.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tools.bench_corpus import BATCH, SCHEMA, Corpus, Question, Row, batches
from tools.bench_engines import ENGINES

K = 8
KINDS = ("words", "name", "parts")


def read(path: Path) -> Iterator[Row]:
    for batch in pq.ParquetFile(path).iter_batches(BATCH):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def write(path: Path, rows: Iterable[Row]) -> None:
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for batch in batches(rows):
            writer.write_batch(batch)


def prepare(folder: Path, size: int, questions: int) -> None:
    """Writes the rows, those that are added later, and the questions."""
    corpus = Corpus(size)
    write(folder / "rows.parquet", corpus.rows())
    write(folder / "more.parquet", islice(corpus.rows(seed=2), max(1, size // 100)))
    asked = corpus.questions(questions, lambda: read(folder / "rows.parquet"))
    texts = [asdict(question) | {"right": sorted(question.right)} for question in asked]
    (folder / "questions.json").write_text(json.dumps(texts), encoding="utf-8")


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Builds one engine's index, asks all questions, and replaces 1 % of the documents."""
    started = time.process_time()
    engine = ENGINES[name](folder / name)
    engine.build(read(folder / "rows.parquet"))
    build = time.process_time() - started
    questions = [Question(**question) for question in json.loads((folder / "questions.json").read_text(encoding="utf-8"))]
    took, found = [], {kind: [0.0, 0.0, 0] for kind in KINDS}
    for question in questions:
        started = time.process_time()
        ids = engine.search(question.text, K)
        took.append(time.process_time() - started)
        right, score = set(question.right), found[question.kind]
        score[0] += len(right & set(ids)) / min(K, len(right))
        score[1] += bool(ids) and ids[0] in right
        score[2] += 1
    size = engine.bytes()
    more = list(read(folder / "more.parquet"))
    gone = [row[0] for row in islice(read(folder / "rows.parquet"), len(more))]
    started = time.process_time()
    engine.replace(gone, more)
    replaced = time.process_time() - started
    return {
        "build": build,
        "p50": statistics.median(took) * 1000,
        "p95": sorted(took)[int(0.95 * len(took))] * 1000,
        "bytes": size,
        "replaced": replaced,
        "recall": {kind: (score[0] / score[2], score[1] / score[2]) for kind, score in found.items()},
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def line(name: str, size: int, found: dict[str, Any]) -> str:
    recalls = " | ".join(f"{found['recall'][kind][0]:.2f} / {found['recall'][kind][1]:.2f}" for kind in KINDS)
    return (
        f"| {size:,} | {name} | {found['build']:.1f} | {found['p50']:.1f} | {found['p95']:.1f} | {found['bytes'] / 1e6:.1f} "
        f"| {found['replaced']:.2f} | {recalls} | {found['peak'] / 2**20:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,100000", help="how many documents, with commas")
    parser.add_argument("--engines", default="tantivy,fts5", help=f"some of {', '.join(ENGINES)}")
    parser.add_argument("--questions", type=int, default=100, help="how many of each kind")
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one[0], Path(arguments.one[1]))))
        return
    print(f"recall@{K} / right first, for {', '.join(KINDS)}; times in CPU seconds of one thread, queries in ms")
    print("| documents | engine | build s | query p50 ms | p95 ms | MB | 1 % replaced s | words | name | parts | peak MiB |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for size in map(int, arguments.sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="distill-bench-") as folder:
            prepare(Path(folder), size, arguments.questions)
            for name in arguments.engines.split(","):
                command = [sys.executable, "-m", "tools.bench_retrieval", "--one", name, folder]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                print(line(name, size, json.loads(done.stdout)), flush=True)


if __name__ == "__main__":
    main()
