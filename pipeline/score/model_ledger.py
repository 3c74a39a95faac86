"""scored.model_ledger: what each model is worth on each type of task, worked out anew where scores or evidence changed."""

from pipeline.models.compile import Compiled, plain_model
from pipeline.run import Run

LEDGER = "scored.model_ledger"
CALLS, SUMS = "ledger/_calls", "ledger/model_ledger"


def models_of(run: Run) -> dict[str, Compiled]:
    """Returns the models that make the ledger, by name."""
    return {name: plain_model(run.library, name) for name in (CALLS, SUMS)}


def build(run: Run) -> None:
    """Brings the ledger up to the evidence and its scores; writes nothing where it says the same as before."""
    run.bind_now("evidence.records", "scored.runs", LEDGER)
    compute(run)
    if run.engine.value(f"select count(*) as n from ({difference(run)})"):
        models = {name: f"{model.version}:{model.fingerprint}" for name, model in models_of(run).items()}
        run.write(LEDGER, "select * from run.ledger", run.metadata(models), replace=True)


def compute(run: Run) -> None:
    """Makes `run.ledger` what the bound `evidence.records` and `scored.runs` say of every model."""
    # Quantiles can't be brought up to date from sums: all records are read, but only a few narrow columns of each.
    run.engine.define("run.calls", run.library[CALLS].sql)
    run.engine.materialise("run.ledger", run.library[SUMS].sql)


def difference(run: Run) -> str:
    """Returns the SQL of the rows in which `run.ledger` and the bound ledger differ."""
    columns = ", ".join(run.store.tables[LEDGER].schema.names)
    was, now = (f"select {columns} from {name}" for name in (LEDGER, "run.ledger"))
    return f"({was} except all {now}) union all ({now} except all {was})"
