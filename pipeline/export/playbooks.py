"""exports.playbooks: made of what the retrieval corpus let out; again only for titles that a change reached."""

from itertools import pairwise

from pipeline.engine import ParquetFile
from pipeline.export.mending import Change, mend_rows
from pipeline.export.scope import WORTH_IT, Reach
from pipeline.models.compile import Compiled, plain_model
from pipeline.run import Run
from pipeline.store.writing import commit_checked

TABLE = "exports.playbooks"
RAG = "exports.rag"
INPUTS = (RAG, "evidence.records", "scored.runs")
INDEX = "exports/playbooks_index"
UNITS = "exports/playbook_units"
# How many rows of the retrieval corpus are made into playbooks at a time, more or less.
ROWS_AT_A_TIME = 50_000
# What the models read of the retrieval corpus, and which of its rows after a change.
_COLUMNS = "playbook_id, id, title, source_category, content, created_at, provenance"
_REACHED = "playbook_id in (select playbook_id from run.touched_playbooks)"


def models_of(run: Run) -> dict[str, Compiled]:
    """Returns the models behind the playbooks and their pages, those that others read first."""
    ordered: dict[str, Compiled] = {}

    def visit(name: str) -> None:
        compiled = plain_model(run.library, name)
        for table in sorted(compiled.inputs - run.store.tables.keys()):
            if (behind := table.replace(".", "/")) in run.library and behind not in ordered:
                visit(behind)
        ordered[name] = compiled

    visit(_name(TABLE))
    ordered[INDEX] = plain_model(run.library, INDEX)
    return ordered


def build(run: Run, models: dict[str, Compiled], made_of: str) -> Change:
    """Brings exports.playbooks up to the retrieval corpus.

    `made_of` is a hash over the SQL: where it is the one of last time, only playbooks that a change can reach are made again.
    Leaves what was made as `run.made_playbooks`, and the rows that it was made of as `run.playbook_rows`.
    """
    marks = run.metadata({model.name: f"{model.version}:{model.fingerprint}" for model in models.values()})
    run.bind_now(*INPUTS)
    reach = _reach(run, made_of)
    if reach is not None:
        run.engine.materialise("run.playbook_rows", f"select {_COLUMNS} from run.reached_rag where {_REACHED}")
        run.engine.define(RAG, "select * from run.playbook_rows")
    else:
        run.engine.define("run.playbook_rows", f"select {_COLUMNS} from {RAG}")
    for name, model in models.items():
        if name not in (_name(TABLE), INDEX):
            # Units of all playbooks stay a query, for they are to be made some at a time.
            make = run.engine.define if name == UNITS and reach is None else run.engine.materialise
            make(name.replace("/", "."), model.sql)
    sql = models[_name(TABLE)].sql
    change = mend_rows(run, TABLE, sql, marks, reach) if reach is not None else _write_all(run, sql, marks)
    run.bind_now(*INPUTS, TABLE)
    run.engine.define("run.made_playbooks", _made(change, reach))
    run.state["playbooks"] = {"made_of": made_of, **{name: run.store.version(name) for name in INPUTS}}
    return change


def _write_all(run: Run, sql: str, metadata: dict[str, str]) -> Change:
    """Writes all playbooks, some at a time: what is known of one is made of lists, which DuckDB keeps in memory to the end."""
    names = ", ".join(run.store.tables[TABLE].schema.names)
    count = min(256, 1 + int(run.engine.value(f"select count(*) as n from {RAG}")) // ROWS_AT_A_TIME)
    bounds = [f"'playbook-{256 * number // count:02x}'" for number in range(count)] + ["'playbook-g'"]
    files: list[ParquetFile] = []
    for first, end in pairwise(bounds):
        some = f"select {names} from ({sql}) where id >= {first} and id < {end}"
        files += run.engine.write_parquet(some, run.store.path(TABLE))
    commit_checked(run.store, run.engine, TABLE, files, metadata, replace=True)
    return Change()


def bind_published(run: Run) -> None:
    """Binds all playbooks as `build` binds those that it made: all of them are to be looked at anew."""
    run.bind_now(*INPUTS, TABLE)
    run.engine.define("run.playbook_rows", f"select {_COLUMNS} from {RAG}")
    run.engine.define("run.made_playbooks", f"select * from {TABLE}")


def _name(table: str) -> str:
    return table.replace(".", "/")


def _made(change: Change, reach: Reach | None) -> str:
    if change.whole:
        return f"select * from {TABLE} where {reach.rows if reach is not None else True}"
    return f"select * from {change.new_rows}" if change.added else f"select * from {TABLE} where false"


def _reach(run: Run, made_of: str) -> Reach | None:
    """Finds the playbooks to make again, and binds `run.reached_rag` to the files with their rows; None for all of them."""
    before = run.state.get("playbooks", {})
    if before.get("made_of") != made_of:
        return None
    then = {name: run.store.read(name, before[name]) for name in INPUTS}
    now = {name: run.store.read(name) for name in INPUTS}
    # A record that was made anew may name another model.
    if set(then["evidence.records"].files) - set(now["evidence.records"].files):
        return None
    for name, short in ((RAG, "rag"), ("scored.runs", "scores")):
        old, new = set(then[name].files), set(now[name].files)
        run.bind(f"before.{short}", then[name], files=tuple(sorted(old - new)))
        run.bind(f"after.{short}", now[name], files=tuple(sorted(new - old)))
    run.engine.materialise("run.touched_playbooks", run.library["exports/_scope_playbooks"].sql)
    amounts = f"select count(*) as total, count(*) filter (where {_REACHED}) as reached from {RAG}"
    (amount,) = run.engine.rows(amounts)
    if amount["reached"] > WORTH_IT * amount["total"]:
        return None
    run.bind("run.reached_rag", now[RAG], files=tuple(run.engine.files_with(now[RAG].files, _REACHED)))
    return Reach(rows="id in (select playbook_id from run.touched_playbooks)", rejects="false")
