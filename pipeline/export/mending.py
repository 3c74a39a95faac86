"""Tables that are brought up to a query by writing only the rows that differ."""

import re
from dataclasses import dataclass

from pipeline.engine import quoted
from pipeline.export.scope import Reach
from pipeline.run import Run

# Beyond this share of changed rows a table and its file are written anew rather than mended.
MENDABLE = 0.2
MAX_REMOVED = 5000
_LAST_ORDER = re.compile(r"\norder by [^()]*$")


@dataclass(frozen=True)
class Change:
    """How a table differs from the published one.

    removed:  ids that left it
    added:    how many rows are new
    new_rows: the relation that holds them, where there are any
    whole:    everything is to be written anew
    """

    removed: frozenset[str] = frozenset()
    added: int = 0
    new_rows: str = ""
    whole: bool = True


def mend_rows(run: Run, table: str, sql: str, metadata: dict[str, str], reach: Reach | None) -> Change:
    """Brings an export table, whose rows have an `id` over their long texts, up to a query over what is reached."""
    engine, declared = run.engine, run.store.tables[table]
    change = _difference(run, table, sql, reach)
    if change.whole:
        kept = f" union all select * from before.rows where not ({reach.rows})" if reach is not None else ""
        # Delta's writer keeps no order, so there is no use in sorting long texts for it.
        at_once = min(map(engine.rows_at_once, ("evidence.records", "before.rows")))
        with engine.stream(f"select * from ({_LAST_ORDER.sub('', sql)}){kept}", at_once) as reader:
            run.store.replace(table, reader.cast(declared.schema), metadata, in_group=at_once)
        return change
    if change.removed:
        run.store.delete(table, f"id in ({', '.join(map(quoted, sorted(change.removed)))})", metadata)
    if change.added:
        engine.materialise(change.new_rows, f"select * from ({sql}) where id in (select id from run.new_ids)")
        run.store.append(table, engine.arrow(f"select * from {change.new_rows}").cast(declared.schema), metadata)
    return change


def _difference(run: Run, table: str, sql: str, reach: Reach | None) -> Change:
    """Holds the rows of a query against those of a table by everything but the texts that the id is a hash of."""
    published = run.store.read(table)
    run.bind("before.rows", published)
    if not published.files:
        return Change()
    declared = run.store.tables[table]
    slim = ", ".join(name for name in declared.schema.names if name not in declared.bulk)
    if reach is None:
        was = "before.rows"
    else:
        # Wide rows of files without any are not read.
        run.bind("run.some_rows", published, files=tuple(run.engine.files_with(published.files, reach.rows)))
        was = f"run.some_rows where {reach.rows}"
    for name, rows in (("run.now", f"({sql})"), ("run.was", was)):
        run.engine.materialise(name, f"select id, hash(row) as mark from (select {slim} from {rows}) as row")
    same = "using (id, mark)"
    run.engine.materialise("run.new_ids", f"select id from run.now anti join run.was {same}")
    gone = [row["id"] for row in run.engine.rows(f"select id from run.was anti join run.now {same} limit {MAX_REMOVED + 1}")]
    added = int(run.engine.value("select count(*) as n from run.new_ids"))
    total = int(run.engine.value("select count(*) as n from before.rows"))
    if added + len(gone) > MENDABLE * total or len(gone) > MAX_REMOVED:
        return Change()
    return Change(frozenset(gone), added, f"run.new_{table.split('.')[1]}" if added else "", whole=False)


def mend_set(run: Run, table: str, sql: str, metadata: dict[str, str], reach: Reach | None, export: str) -> None:
    """Brings a table without ids, or one export's part of the quarantine, up to a query over what is reached."""
    schema = run.store.tables[table].schema
    columns = ", ".join(schema.names)
    mine = f"export = {quoted(export)}" if "export" in schema.names else None
    run.bind("before.part", run.store.read(table), where=mine or "")
    if reach is None and not run.engine.value("select count(*) as n from before.part"):
        _append(run, table, f"select {columns} from ({sql})", metadata)
        return
    was = "before.part" if reach is None else f"before.part where {reach.rejects}"
    run.engine.materialise("run.part", f"select *, {_marks('row')} from (select {columns} from ({sql})) as row")
    run.engine.materialise(
        "run.moved",
        "select mark, second_mark, sum(amount) as amount from ("
        "select mark, second_mark, 1 as amount from run.part union all "
        f"select {_marks('row')}, -1 as amount from (select {columns} from {was}) as row"
        ") group by mark, second_mark having sum(amount) <> 0",
    )
    # A repeated row has the same mark as its twin: then, and when something left, the whole part is written.
    anew = run.engine.value("select count(*) as n from run.moved where amount <> 1")
    if anew:
        kept = f" union all select {columns} from before.part where not ({reach.rejects})" if reach is not None else ""
        rows = run.engine.arrow(f"select {columns} from run.part{kept}")
        run.store.replace(table, rows.cast(schema), metadata, where=mine)
        return
    some = "where (mark, second_mark) in (select (mark, second_mark) from run.moved)"
    _append(run, table, f"select {columns} from run.part {some}", metadata)


def _append(run: Run, table: str, sql: str, metadata: dict[str, str]) -> None:
    rows = run.engine.arrow(sql)
    if rows.num_rows:
        run.store.append(table, rows.cast(run.store.tables[table].schema), metadata)


def _marks(row: str) -> str:
    """Returns the SQL of 128 bits that tell one row from another, as long as this process lives."""
    # Not hash(row, 1): it is worked out from hash(row), and equal where that is.
    return f"hash({row}) as mark, hash(cast({row} as varchar)) as second_mark"
