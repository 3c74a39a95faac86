"""Is the warehouse sound as it stands? Sixteen checks that compute again instead of believing, and ten numbers over time."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from pipeline import advice, session
from pipeline.audit import baseline, page
from pipeline.audit.baseline import Metric
from pipeline.audit.checks import CHECKS
from pipeline.audit.context import Context
from pipeline.audit.results import Audit, Result
from pipeline.disk import replace_file
from pipeline.errors import DistillError, UsageError
from pipeline.export import corpora
from pipeline.run import Reporter, Run
from pipeline.score import scoring
from pipeline.settings import Settings
from pipeline.stages import STAGES
from pipeline.store import catalog

REPORT = "audit-full.md"


def audit(settings: Settings, reporter: Reporter, *, full: bool = False) -> Audit:
    """Audits what is published, adds a row to ops.audit_baselines, and writes reports/audit-full.md.

    full: trace all records back to their source lines, not thirty
    Raises UsageError where nothing is published yet.
    """
    with session.opened(settings, reporter) as run:
        session.recover(run, trusting=True)
        if run.before is None:
            raise UsageError(f"{settings.warehouse}: nothing was published here yet, so there is nothing to audit")
        if missing := [stage.name for stage in STAGES if stage.name not in run.before.stages]:
            does = f"`{advice.command('run-all')}` does it, then there is all to audit"
            raise UsageError(f"{', '.join(missing)}: not done here yet; {does}")
        return conduct(Context(run, run.before, full))


def conduct(context: Context) -> Audit:
    """Does the same in a warehouse that is opened, locked and recovered, with its newest snapshot."""
    run, snapshot = context.run, context.snapshot
    corpora.bind_options(run)
    scoring.bind_settlers(run)
    results = tuple(_checked(number, name, check, context) for number, (name, check) in enumerate(CHECKS, 1))
    found = Audit(
        run.run_id,
        datetime.now(UTC),
        snapshot.snapshot,
        snapshot.run_id,
        results,
        baseline.compare(run, run.settings.drift_threshold),
    )
    _record(run, found)
    return found


def _checked(number: int, name: str, check: Callable[[Context], list[str]], context: Context) -> Result:
    context.run.reporter.stage(f"{number} {name}")
    context = replace(context, warnings=[])
    try:
        return Result(number, name, tuple(check(context)), tuple(context.warnings))
    except (DistillError, OSError) as error:
        # What can't be read is not sound; the other checks still say what they can.
        return Result(number, name, (str(error),))


def _record(run: Run, found: Audit) -> None:
    verdicts = [result.as_json() for result in found.results]
    numbers = {metric.name: metric.now for metric in found.metrics}
    baseline.append(run, found.audit_id, found.audited_at, found.passed, numbers, verdicts)
    replace_file(run.settings.reports / REPORT, page.render(found).encode())
    if run.before is not None:
        # With a table that can't be read the catalog stays as it is.
        with suppress(DistillError, OSError):
            catalog.write(run.store, run.engine, run.before)


__all__ = ["Audit", "Context", "Metric", "Result", "audit", "conduct"]
