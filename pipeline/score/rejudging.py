"""What records are worth, worked out from evidence and never read from scored.runs: what may leave is held against it."""

from pipeline.run import Run
from pipeline.score import scoring
from pipeline.score.scoring import JUDGED, PLACED

# Where more than this share of all records is to be judged, all are.
FEW = 0.2


def rejudge(run: Run, places: str) -> None:
    """Makes `run.judged` hold what the scoring models say of the records at some places.

    places: a query of source_file, line_offset and sig_hash

    What this process judged itself is not judged twice. Models may read other records: they find those of the same tasks. Where
    the result is not what scored.runs says, a model may read further than that: all are judged before anybody is accused.
    """
    engine = run.engine
    if JUDGED not in run.shared:
        engine.materialise(JUDGED, "select cast(null as ubigint) as place, cast(null as varchar) as category where false")
        run.shared.add(JUDGED)
    placed = f"select distinct source_file, line_offset, sig_hash, {PLACED} as place from ({places})"
    engine.materialise("run.asked", f"select * from ({placed}) anti join {JUDGED} using (place)")
    if asked := int(engine.value("select count(*) as n from run.asked")):
        run.bind("run.all_records", run.store.read("evidence.records"))
        if asked > FEW * run.content("evidence.records").rows or _differs(run):
            engine.define("evidence.records", "select * from run.all_records")
            scoring.judge_bound(run, scoring.models_of(run))
            scoring.remember(run)
        run.bind_now("evidence.records", scoring.SCORES)


def _differs(run: Run) -> bool:
    """Judges the records that are asked for among those of their tasks. Returns whether scored.runs says something else."""
    engine, place = run.engine, "using (source_file, line_offset, sig_hash)"
    engine.materialise("run.asked_tasks", f"select distinct task_id from run.all_records semi join run.asked {place}")
    engine.define("evidence.records", "select * from run.all_records semi join run.asked_tasks using (task_id)")
    scoring.judge_bound(run, scoring.models_of(run))
    either = "select * from run.free_scores union all select * from run.bound_scores"
    engine.materialise("run.answers", f"select {PLACED} as place, category from ({either}) semi join run.asked {place}")
    engine.execute(f"insert into {JUDGED} select place, category from run.answers")
    run.bind("run.scores", run.store.read(scoring.SCORES))
    scores = f"select {PLACED} as place, category from run.scores semi join run.asked {place}"
    return bool(engine.rows(f"select 1 from ({scores}) as scores anti join run.answers using (place, category) limit 1"))
