"""Which records an export must decide again after a change: those that changed, and those that a change can reach."""

from dataclasses import dataclass

from pipeline.run import Run
from pipeline.store.delta import Version

# Beyond this share of all records, deciding everything is cheaper than finding out what to decide.
WORTH_IT = 0.1


@dataclass(frozen=True)
class Reach:
    """What is decided again: the records in `run.reached`.

    rows:    SQL condition on the rows of the export's own table
    rejects: SQL condition on the rows of its other tables
    within:  of a corpus, the records that those in `run.reached` are among; they are what is looked for in tables
    """

    rows: str
    rejects: str
    within: str = ""


def find(run: Run, export: str, made_of: str) -> Reach | None:
    """Finds what an export has to decide again, and binds the inputs of its models to that; None for everything."""
    before = run.state.get("exports", {}).get(export, {})
    if before.get("made_of") != made_of:
        return None
    then, now = run.store.read("scored.runs", before["scored.runs"]), run.store.read("scored.runs")
    _bind_touched(run, then, now)
    change = f"{then.version}_{now.version}"
    reach = _tasks(run, change) if export == "preference" else _texts(run, export, change)
    amounts = f"select (select count(*) from {reach.within}) as reached, (select count(*) from scored.runs) as total"
    (amount,) = run.engine.rows(amounts)
    if amount["reached"] > WORTH_IT * amount["total"]:
        return None
    _bind_reached(run, reach.within)
    return reach


def _bind_touched(run: Run, then: Version, now: Version) -> None:
    """Makes `run.changed` and `run.touched` what differs between two versions of the scores; most exports ask for the same."""
    run.bind("before.scores", then, files=tuple(sorted(set(then.files) - set(now.files))))
    run.bind("after.scores", now, files=tuple(sorted(set(now.files) - set(then.files))))
    for name in ("changed", "touched"):
        found = f"run.{name}_{then.version}_{now.version}"
        once(run, found, run.library[f"exports/_{name}"].sql)
        run.engine.define(f"run.{name}", f"select * from {found}")


def _texts(run: Run, export: str, change: str) -> Reach:
    """What rag and sft reach is nearly the same, so what it is looked for in is found once for both."""
    near = f"run.near_{change}"
    once(run, f"{near}_exports_texts", run.library["exports/_near"].sql)
    once(run, near, f"select source, sig_hash, rag_id, sft_id from {near}_exports_texts")
    run.engine.define("run.near", f"select * from {near}")
    run.engine.materialise("run.reached", run.library[f"exports/_scope_{export}"].sql)
    # Without `is not null` one record without texts would make `not in` true of no row at all.
    return Reach(
        rows="id in (select id from run.reached where id is not null)",
        rejects="(source, sig_hash) in (select (source, sig_hash) from run.reached)",
        within=near,
    )


def _tasks(run: Run, change: str) -> Reach:
    run.engine.materialise("run.tasks", run.library["exports/_tasks"].sql)
    amount = -1
    while (found := run.engine.value("select count(*) as n from run.tasks")) != amount:
        amount = found
        run.engine.materialise("run.more_tasks", run.library["exports/_scope_preference"].sql)
        run.engine.materialise("run.tasks", "select task from run.more_tasks")
    within = f"run.of_tasks_{change}"
    once(run, f"{within}_scored_runs", run.library["exports/_of_tasks"].sql)
    once(run, within, f"select source, sig_hash, task_id from {within}_scored_runs")
    run.engine.materialise("run.reached", f"select * from {within}")
    of_tasks = "task_id in (select task_id from run.reached)"
    return Reach(rows=of_tasks, rejects=of_tasks, within=within)


def _bind_reached(run: Run, within: str) -> None:
    """Binds records, their scores and what is known of their texts to those of `within`, but for what was found on the way."""
    for table in ("scored.runs", "evidence.records", "exports.texts"):
        found = f"{within}_{table.replace('.', '_')}"
        if found not in run.shared:
            version = run.store.read(table)
            files = version.files
            if table == "evidence.records":
                # Long texts of files without any are not read.
                files = tuple(run.engine.files_with(files, f"(source, sig_hash) in (select (source, sig_hash) from {within})"))
            run.bind("run.some_rows", version, files=files)
            once(run, found, f"select * from run.some_rows semi join {within} using (source, sig_hash)")
        run.engine.define(table, f"select * from {found}")


def once(run: Run, name: str, sql: str) -> None:
    """Runs a query whose name says what it was made of, unless it was run before."""
    if name not in run.shared:
        run.engine.materialise(name, sql)
        run.shared.add(name)
