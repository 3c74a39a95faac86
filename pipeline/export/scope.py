"""Which records an export must decide again after a change: those that changed, and those that a change can reach."""

from dataclasses import dataclass

from pipeline.engine import Engine
from pipeline.models import Library
from pipeline.run import Run
from pipeline.store.delta import Version

# Beyond this share of all records, deciding everything is cheaper than finding out what to decide.
WORTH_IT = 0.1
# The ids of records near a change, once tables are bound to these alone.
NEAR = "select source, sig_hash, rag_id, sft_id, task_id from exports.texts inner join scored.runs using (source, sig_hash)"


@dataclass(frozen=True)
class Reach:
    """What is decided again: the records in `run.reached`.

    rows:    SQL condition on the rows of the export's own table
    rejects: SQL condition on the rows of its other tables
    near:    the first part of the names of what was found for all exports, of the records that those in `run.reached` are among
    """

    rows: str
    rejects: str
    near: str = ""


def find(run: Run, export: str, made_of: str) -> Reach | None:
    """Finds what an export has to decide again, and binds the inputs of its models to that; None for everything."""
    before = run.state.get("exports", {}).get(export, {})
    if before.get("made_of") != made_of:
        return None
    change = _bind_change(run, run.store.read("scored.runs", before["scored.runs"]), run.store.read("scored.runs"))
    if run.engine.rows(run.library["exports/_lost"].sql):
        return None
    near, tasks_are_few = f"run.near_{change}", _is_few(run, f"run.of_tasks_{change}")
    # Of a task with very many records, preference decides all of them with all others; no other export has to.
    run.engine.define("run.of_tasks", f"select record from run.of_tasks_{change} where {tasks_are_few}")
    once(run, f"{near}_exports_texts", run.library["exports/_near"].sql)
    if not _is_few(run, f"{near}_exports_texts") or (export == "preference" and not tasks_are_few):
        return None
    _bind_near(run, near)
    run.engine.materialise("run.reached", run.library[f"exports/_scope_{export}"].sql)
    if export == "preference":
        of_tasks = "task_id in (select task_id from run.reached)"
        return Reach(rows=of_tasks, rejects=of_tasks, near=near)
    # Without `is not null` one record without texts would make `not in` true of no row at all.
    rows = "id in (select id from run.reached where id is not null)"
    return Reach(rows, rejects="(source, sig_hash) in (select (source, sig_hash) from run.reached)", near=near)


def _is_few(run: Run, records: str) -> bool:
    amounts = f"select (select count(*) from {records}) as some, (select count(*) from scored.runs) as total"
    (amount,) = run.engine.rows(amounts)
    return bool(amount["some"] <= WORTH_IT * amount["total"])


def _bind_change(run: Run, then: Version, now: Version) -> str:
    """Binds what is asked of a change between two versions of the scores: what changed, what it touched, whose tasks.

    Most exports ask for the same change, whose versions are in the names of what is made of it. Returns that part of them.
    """
    change = f"{then.version}_{now.version}"
    run.bind("before.scores", then, files=tuple(sorted(set(then.files) - set(now.files))))
    run.bind("after.scores", now, files=tuple(sorted(set(now.files) - set(then.files))))
    for name in ("changed", "touched"):
        once(run, f"run.{name}_{change}", run.library[f"exports/_{name}"].sql)
        run.engine.define(f"run.{name}", f"select * from run.{name}_{change}")
    if f"run.tasks_{change}" not in run.shared:
        follow_tasks(run.engine, run.library)
    once(run, f"run.tasks_{change}", "select task from run.tasks")
    run.engine.define("run.tasks", f"select task from run.tasks_{change}")
    once(run, f"run.of_tasks_{change}", run.library["exports/_of_tasks"].sql)
    return change


def follow_tasks(engine: Engine, library: Library) -> None:
    """Makes `run.tasks` the tasks that preference decides again: those near a change, and more until no other joins."""
    engine.materialise("run.tasks", library["exports/_tasks"].sql)
    amount = -1
    while (found := engine.value("select count(*) as n from run.tasks")) != amount:
        amount = found
        engine.materialise("run.more_tasks", library["exports/_more_tasks"].sql)
        engine.materialise("run.tasks", "select task from run.more_tasks")


def _bind_near(run: Run, near: str) -> None:
    """Binds records, their scores and what is known of their texts to those that are near, and `run.near` to their ids."""
    texts = f"{near}_exports_texts"
    for table in ("scored.runs", "evidence.records", "exports.texts"):
        found = f"{near}_{table.replace('.', '_')}"
        if found not in run.shared:
            version = run.store.read(table)
            files = version.files
            if table == "evidence.records":
                # Long texts of files without any are not read.
                files = tuple(run.engine.files_with(files, f"(source, sig_hash) in (select (source, sig_hash) from {texts})"))
            run.bind("run.some_rows", version, files=files)
            once(run, found, f"select * from run.some_rows semi join {texts} using (source, sig_hash)")
        run.engine.define(table, f"select * from {found}")
    run.engine.define("run.near", NEAR)


def once(run: Run, name: str, sql: str) -> None:
    """Runs a query whose name says what it was made of, unless it was run before."""
    if name not in run.shared:
        run.engine.materialise(name, sql)
        run.shared.add(name)
