"""What is known about a task, as one structure: examples, warnings, steps to verify; all with where they come from."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipeline.replay.retrieval import retrieve
from pipeline.search import Corpus

EXEMPLARS, WARNINGS, STEPS, PLAYBOOKS = 3, 2, 8, 3
# Small models have small contexts; a longer record is cut, and says so.
CONTENT_CHARS = 900
TITLE_CHARS = 200
NO_RETRIEVER = "none"
_TABLE, _MODEL = "exports.playbooks", "replay/steps"


def gather(corpus: Corpus, task: str, retriever: str, k: int) -> dict[str, Any]:
    """Returns the bundle for a task.

    records:   every row that was found, best first, with its role; content only of exemplars and warnings
    steps:     lines to verify, with the id of the record or playbook that says so
    playbooks: those of the rows that were found, best first
    """
    hits = retrieve(corpus, task, k, retriever)
    rows = corpus.rows([id for id, _ in hits])
    found = [(rows[id], score) for id, score in hits if id in rows]
    roles = _roles([row for row, _ in found])
    playbooks = _playbooks(corpus, [row for row, _ in found])
    return empty(corpus, retriever, k) | {
        "records": [_record(row, score, roles.get(row["id"], "context")) for row, score in found],
        "steps": _steps(corpus, [row for row, _ in found if row["id"] in roles], playbooks),
        "playbooks": [{"id": held["id"], "title": held["title"][:TITLE_CHARS], "file": held["file"]} for held in playbooks],
    }


def empty(corpus: Corpus, retriever: str = NO_RETRIEVER, k: int = 0) -> dict[str, Any]:
    """Returns a bundle without anything: what a model gets that is to answer without evidence."""
    return {
        "retriever": retriever,
        "top_k": k,
        "snapshot": corpus.snapshot.snapshot,
        "snapshot_run_id": corpus.snapshot.run_id,
        "records": [],
        "steps": [],
        "playbooks": [],
    }


def _roles(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """What waits for a human is neither an example nor a warning: nobody said yet what it is worth."""
    accepted = [row["id"] for row in rows if row["source_category"] == "accepted"][:EXEMPLARS]
    partial = [row["id"] for row in rows if row["source_category"] == "partially_accepted"][:WARNINGS]
    return dict.fromkeys(accepted, "exemplar") | dict.fromkeys(partial, "warning")


def _record(row: dict[str, Any], score: float, role: str) -> dict[str, Any]:
    origin, content = row["provenance"], row["content"]
    return {
        "id": row["id"],
        "role": role,
        "score": score,
        "category": row["source_category"],
        "title": row["title"][:TITLE_CHARS],
        "source": f"{origin['source_file']}:{origin['line_offset'] + 1}",
        "sig_hash": origin["sig_hash"],
        "playbook_id": row["playbook_id"],
        "content": content[:CONTENT_CHARS] if role != "context" else None,
        "is_cut": role != "context" and len(content) > CONTENT_CHARS,
    }


def _playbooks(corpus: Corpus, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    wanted = list(dict.fromkeys(row["playbook_id"] for row in rows if row["playbook_id"] is not None))[:PLAYBOOKS]
    files = corpus.warehouse.files(_TABLE, corpus.snapshot)
    if not wanted or not files:
        return []
    corpus.engine.bind(_TABLE, files, corpus.warehouse.schema(_TABLE))
    marks = ", ".join("?" * len(wanted))
    held = corpus.engine.rows(f"select id, title, file, steps from {_TABLE} where id in ({marks})", wanted)
    return sorted(held, key=lambda playbook: wanted.index(playbook["id"]))


def _steps(corpus: Corpus, rows: Sequence[dict[str, Any]], playbooks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps of the retrieved rows first, then those that the playbooks have beside them."""
    said = {"place": range(len(rows)), "id": [row["id"] for row in rows], "content": [row["content"] for row in rows]}
    schema = pa.schema({"place": pa.int64(), "id": pa.string(), "content": pa.string()})
    corpus.engine.bind_arrow("run.retrieved", pa.table({name: list(held) for name, held in said.items()}, schema=schema))
    model = corpus.warehouse.library[_MODEL]
    found = corpus.engine.rows(f"select id, step from ({model.sql}) order by place, step")
    found += [{"id": playbook["id"], "step": step["step"]} for playbook in playbooks for step in playbook["steps"]]
    once = {step["step"]: step for step in reversed(found)}
    return [step for step in found if once[step["step"]] is step][:STEPS]
