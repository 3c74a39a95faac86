"""Which records an export must decide again after a change: those that changed, and those that a change can reach."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.run import Run
from pipeline.store.delta import Version

# Beyond this share of all records, deciding everything is cheaper than finding out what to decide.
WORTH_IT = 0.1
KEYS = "select (source, sig_hash) from run.reached"


@dataclass(frozen=True)
class Reach:
    """What is decided again; `evidence.records` and `scored.runs` are bound to it.

    rows:    SQL condition on the rows of the export's own table
    rejects: SQL condition on the rows of its other tables
    """

    rows: str
    rejects: str


def find(run: Run, export: str, made_of: str) -> Reach | None:
    """Finds what an export has to decide again, and binds the inputs of its models to that; None for everything."""
    before = run.state.get("exports", {}).get(export, {})
    if before.get("made_of") != made_of:
        return None
    then, now = run.store.read("scored.runs", before["scored.runs"]), run.store.read("scored.runs")
    _bind_touched(run, then, now)
    reach = _tasks(run) if export == "preference" else _texts(run, export)
    amounts = "select (select count(*) from run.reached) as reached, (select count(*) from scored.runs) as total"
    (amount,) = run.engine.rows(amounts)
    if amount["reached"] > WORTH_IT * amount["total"]:
        return None
    _bind_reached(run, "scored.runs", now.files)
    records = run.store.read("evidence.records").files
    # Long texts of files without any are not read.
    _bind_reached(run, "evidence.records", run.engine.files_with(records, f"(source, sig_hash) in ({KEYS})"))
    return reach


def _bind_touched(run: Run, then: Version, now: Version) -> None:
    """Makes `run.changed` and `run.touched` what differs between two versions of the scores; most exports ask for the same."""
    run.bind("before.scores", then, files=tuple(sorted(set(then.files) - set(now.files))))
    run.bind("after.scores", now, files=tuple(sorted(set(now.files) - set(then.files))))
    for name in ("changed", "touched"):
        found = f"run.{name}_{then.version}_{now.version}"
        if found not in run.shared:
            run.engine.materialise(found, run.library[f"exports/_{name}"].sql)
            run.shared.add(found)
        run.engine.define(f"run.{name}", f"select * from {found}")


def _texts(run: Run, export: str) -> Reach:
    run.engine.materialise("run.reached", run.library[f"exports/_scope_{export}"].sql)
    # Without `is not null` one record without texts would make `not in` true of no row at all.
    return Reach(
        rows="id in (select id from run.reached where id is not null)",
        rejects=f"(source, sig_hash) in ({KEYS})",
    )


def _tasks(run: Run) -> Reach:
    run.engine.materialise("run.tasks", run.library["exports/_tasks"].sql)
    amount = -1
    while (found := run.engine.value("select count(*) as n from run.tasks")) != amount:
        amount = found
        run.engine.materialise("run.more_tasks", run.library["exports/_scope_preference"].sql)
        run.engine.materialise("run.tasks", "select task_id from run.more_tasks")
    run.engine.materialise("run.reached", "select source, sig_hash from scored.runs semi join run.tasks using (task_id)")
    of_tasks = "task_id in (select task_id from run.tasks)"
    return Reach(rows=of_tasks, rejects=of_tasks)


def _bind_reached(run: Run, table: str, files: Iterable[str]) -> None:
    """Binds a table to its reached rows, which are in some of its files."""
    run.bind("run.some_rows", run.store.read(table), files=tuple(files))
    rows = "run.rows_of_" + table.replace(".", "_")
    run.engine.materialise(rows, "select * from run.some_rows semi join run.reached using (source, sig_hash)")
    run.engine.define(table, f"select * from {rows}")
