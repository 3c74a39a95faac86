"""The stage `index`: the full-text index brought up to the retrieval corpus, from the index of before where there is one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import advice
from pipeline.disk import stamp
from pipeline.engine import Engine
from pipeline.errors import WarehouseError
from pipeline.index import fulltext, shelf
from pipeline.index.fulltext import Document
from pipeline.reports.receipts import NO_COUNTS
from pipeline.run import Run
from pipeline.store.snapshots import Snapshot

SOURCE = "exports.rag"
NAME = "index.rag"
STATE = "index"
# Documents that were taken out count in the statistics until their segment is merged: beyond this share all is built anew.
MAX_DELETED = 0.1
SHOWN = 5
# What a row is found by.
TEXT = "title || chr(10) || content"


def name_now(run: Run) -> str:
    """Returns what the index over the corpus, as it is now, is called."""
    return shelf.name_of(run.content(SOURCE).sha256)


def name_in(snapshot: Snapshot) -> str | None:
    """Returns what the index over the corpus of a snapshot is called."""
    held = snapshot.tables.get(SOURCE)
    return shelf.name_of(held.sha256) if held is not None else None


def intact(run: Run) -> bool:
    """True where the index is there and its files look as they did when they were hashed last."""
    return _is_whole(run, name_now(run))


def _is_whole(run: Run, name: str) -> bool:
    def looks_same(file: str, path: Path, sha256: str) -> bool:
        if run.stamps.known(file, path, sha256) is None:
            if not shelf.hashed(file, path, sha256):
                return False
            run.stamps.remember(file, path, sha256)
        return True

    return shelf.flaw(shelf.place(run.store.root, name), looks_same) is None


def put_in_place(run: Run, snapshot: Snapshot) -> None:
    """Makes the draft of this run, where it has one, the index of a snapshot that is about to be published."""
    name = snapshot.state.get(STATE, {}).get("name")
    if name is not None and shelf.put_in_place(run.store.root, name):
        for file, path, sha256 in shelf.files(shelf.place(run.store.root, name)):
            run.stamps.remember_own(file, sha256, stamp(path))


def build(run: Run) -> None:
    """Brings the index up to the corpus, as a draft that is put in place when the run is published."""
    name = name_now(run)
    folder = shelf.place(run.store.root, name)
    if not _is_whole(run, name):
        folder = _brought_up(run, name)
    content = run.content(SOURCE)
    run.state[STATE] = {
        "name": name,
        "documents": shelf.documents(folder),
        "sha256": content.sha256,
        SOURCE: content.delta_version,  # under the table's name, a vacuum leaves this version alone
    }


def _brought_up(run: Run, name: str) -> Path:
    base = _base(run)
    if base is not None:
        try:
            _find_difference(run)
            gone = int(run.engine.value("select count(*) as n from run.unindexed"))
            shape = fulltext.shape(base)
            if shape.deleted + gone <= MAX_DELETED * max(1, shape.documents - gone):
                return draft(run, name, run.content(SOURCE).rows, base)
        except WarehouseError:
            # The index or the corpus of before is damaged or gone: neither is needed.
            pass
    return draft(run, name, run.content(SOURCE).rows, None)


def _base(run: Run) -> Path | None:
    """Returns the index that was published last, where the new one can be made from it."""
    before = run.before.state.get(STATE) if run.before is not None else None
    if before is None:
        return None
    return shelf.place(run.store.root, before["name"]) if _is_whole(run, before["name"]) else None


def _find_difference(run: Run) -> None:
    """Makes `run.unindexed` the ids that leave the index, and `run.unwritten` those that come; shared files stay unread."""
    assert run.before is not None
    then, now = run.store.read(SOURCE, run.before.state[STATE][SOURCE]), run.store.read(SOURCE)
    run.bind("before.documents", then, files=tuple(sorted(set(then.files) - set(now.files))))
    run.bind("after.documents", now, files=tuple(sorted(set(now.files) - set(then.files))))
    for name, rows, others in (("run.unindexed", "before", "after"), ("run.unwritten", "after", "before")):
        same = f"{others}.documents using (id, title)"
        run.engine.materialise(name, f"select id from {rows}.documents anti join {same}")


def draft(run: Run, name: str, wanted: int, base: Path | None) -> Path:
    """Writes the index over the corpus, `wanted` rows, beside the published ones: from all, or from those that `base` lacks."""
    folder = shelf.start(run.store.root, name, base)
    if base is None:
        run.bind_now(SOURCE)
        fulltext.write(folder, documents(run.engine, SOURCE))
    else:
        gone = [row["id"] for row in run.engine.rows("select id from run.unindexed")]
        fulltext.write(folder, documents(run.engine, "after.documents", "id in (select id from run.unwritten)"), gone)
    found = fulltext.shape(folder).documents
    if found != wanted:
        raise WarehouseError(f"{folder}: the index holds {found} documents, and {SOURCE} {wanted} rows; nothing was published")
    shelf.finish(folder, base)
    return folder


def documents(engine: Engine, relation: str, where: str = "true") -> Iterator[Document]:
    """Yields the rows of a relation with id, title and content as documents, batch by batch."""
    with engine.stream(f"select id, title, {_cut(TEXT)} from {relation} where {where}") as batches:
        for batch in batches:
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Document(*values)


def question(engine: Engine, text: str) -> tuple[str, str]:
    """Returns the words and the names of a question, cut as documents are; what is no text in it becomes a question mark."""
    (row,) = engine.rows(f"select {_cut('asked')} from (select ? as asked)", [text.encode("utf-8", "replace").decode()])
    return row["words"], row["names"]


def _cut(text: str) -> str:
    return f"spaced({text}) as words, names_in({text}) as names"


def count(run: Run) -> dict[str, Any]:
    """Counts rows that went in and documents that came out."""
    return NO_COUNTS | {"in": run.content(SOURCE).rows, "out": run.state[STATE]["documents"]}


def output(run: Run) -> dict[str, Any]:
    """Returns what a receipt says of the index: it is settled by what it was made from."""
    held = run.state[STATE]
    return {"name": NAME, "delta_version": held[SOURCE], "rows": held["documents"], "sha256": held["sha256"]}


def bring_back(run: Run, target: Snapshot) -> None:
    """Sees to the index of a snapshot whose tables were just restored: kept where it is whole, built again otherwise."""
    # What was published says what the corpus holds: what this run began with may be damaged.
    name, held = name_in(target), target.state.get(STATE)
    if name is None or held is None or held["name"] != name:
        return
    if shelf.flaw(shelf.place(run.store.root, name), shelf.hashed) is not None or _differences(run, name):
        draft(run, name, target.tables[SOURCE].rows, None)


def flaws(run: Run, snapshot: Snapshot) -> list[str]:
    """Returns what is wrong with the index of a snapshot: bytes that changed, documents that it lacks or has too many."""
    name = name_in(snapshot)
    if name is None or "index" not in snapshot.stages:
        return []
    folder = shelf.place(run.store.root, name)
    if (flaw := shelf.flaw(folder, shelf.hashed)) is not None:
        return [f"{folder}: the index {flaw}; `{advice.command('index')}` builds it anew"]
    return [f"{folder}: {text}" for text in _differences(run, name)]


def _differences(run: Run, name: str) -> list[str]:
    index = fulltext.Index(shelf.place(run.store.root, name))
    try:
        run.engine.bind_arrow("run.indexed", pa.table({"id": pa.array(index.ids(), pa.string())}))
    finally:
        index.close()
    run.bind_now(SOURCE)
    amounts = f"select id, 1 as amount from run.indexed union all select id, -1 as amount from {SOURCE}"
    rows = run.engine.rows(
        f"select id, sum(amount) as amount from ({amounts}) group by id having sum(amount) <> 0 order by id limit {SHOWN}"
    )
    return [f"{row['id']} is {'no row of ' + SOURCE if row['amount'] > 0 else 'not in the index'}" for row in rows]
