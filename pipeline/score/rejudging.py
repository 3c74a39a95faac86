"""What records are worth, worked out again from evidence alone: what is about to leave is held against it."""

from pipeline.models.compile import Compiled
from pipeline.run import Run
from pipeline.score import scoring

REJUDGED = "run.rejudged"
# Judged again once a run, for all exports, where more than this share of all records is asked for.
FEW = 0.2
_EVERYTHING = "run.all_rejudged"


def rejudge(run: Run, places: str) -> None:
    """Makes `run.rejudged` what the scoring models say of the records at some places, whatever scored.runs says of them.

    places: a query of source_file, line_offset and sig_hash

    Models may read other records: they find those of the same tasks. Where the result differs from scored.runs, a model may
    read further than that, so all records are judged before anybody is accused.
    """
    engine, models = run.engine, scoring.models_of(run)
    run.bind("run.all_records", run.store.read("evidence.records"))
    engine.materialise("run.asked", f"select distinct source_file, line_offset, sig_hash from ({places})")
    asked = int(engine.value("select count(*) as n from run.asked"))
    if _EVERYTHING not in run.shared and asked <= FEW * run.content("evidence.records").rows:
        of_tasks = "select distinct task_id from run.all_records semi join run.asked using (source_file, line_offset, sig_hash)"
        engine.materialise("run.asked_tasks", of_tasks)
        engine.define("evidence.records", "select * from run.all_records semi join run.asked_tasks using (task_id)")
        _judge(run, models, REJUDGED)
    if _EVERYTHING in run.shared or asked > FEW * run.content("evidence.records").rows or _differs(run):
        if _EVERYTHING not in run.shared:
            engine.define("evidence.records", "select * from run.all_records")
            _judge(run, models, _EVERYTHING)
            run.shared.add(_EVERYTHING)
        engine.materialise(REJUDGED, f"select place, category from {_EVERYTHING}")
    run.bind_now("evidence.records", scoring.SCORES)


def _judge(run: Run, models: dict[str, Compiled], name: str) -> None:
    """Makes `name` what the models say of the records that are bound, by their places."""
    scoring.judge_bound(run, models)
    place = "place_hash(source_file, line_offset, sig_hash)"
    either = "select * from run.free_scores union all select * from run.bound_scores"
    run.engine.materialise(name, f"select {place} as place, category from ({either})")


def _differs(run: Run) -> bool:
    run.bind("run.scores", run.store.read(scoring.SCORES))
    place = "place_hash(source_file, line_offset, sig_hash)"
    scores = f"select {place} as place, category from run.scores semi join run.asked using (source_file, line_offset, sig_hash)"
    differing = f"select 1 from ({scores}) as scores anti join {REJUDGED} as rejudged using (place, category) limit 1"
    return bool(run.engine.rows(differing))
