"""The commands that say whether the warehouse can be trusted: acceptance, audit-full."""

import json
import sys
from pathlib import Path

import click

from pipeline.cli.options import (
    Command,
    Percent,
    data_option,
    exports_option,
    json_option,
    reports_option,
    settings_of,
    sql_option,
    warehouse_option,
)
from pipeline.visible import on_one_line


@click.command(cls=Command, short_help="Hold 22 invariants against a built-in fixture.")
@sql_option
@json_option
def acceptance(sql: Path | None, as_json: bool) -> None:
    """Hold 22 invariants against a built-in fixture, in a temporary warehouse: nothing of yours is read or changed.

    The fixture has all streams, every category, every reason of quarantine, and every kind of broken line. It runs from end
    to end in several ways: twice, afresh, with each switch, without half of the streams, and with a planted leak. A line per
    invariant says whether it holds; one that does not shows the first rows that break it, and the command ends with 1.

    \b
    distill acceptance
    distill acceptance --sql my_models    the same with models of your own
    """
    from pipeline.acceptance import examine, report
    from pipeline.cli.terminal import working

    with working(quiet=as_json) as terminal:
        terminal.stage("running the fixture in a temporary warehouse")
        verdicts = examine(sql)
    passed = all(verdict.passed for verdict in verdicts)
    if as_json:
        document = {"passed": passed, "invariants": [verdict.as_json() for verdict in verdicts]}
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        click.echo("\n".join(report(verdicts)))
    sys.exit(0 if passed else 1)


@click.command("audit-full", cls=Command, short_help="Check the whole warehouse by computing it again.")
@click.option("--full", is_flag=True, help="Trace all records to their lines, not a sample of thirty.")
@data_option
@click.option(
    "--drift-threshold",
    type=Percent(),
    default=20.0,
    show_default=True,
    help="Swing in percent against the last audit that is worth a warning.",
)
@warehouse_option
@exports_option
@reports_option
@sql_option
@json_option
def audit_full(
    full: bool,
    drift_threshold: float,
    data: Path,
    warehouse: Path,
    exports: Path,
    reports: Path,
    sql: Path | None,
    as_json: bool,
) -> None:
    """Check the whole warehouse as it stands: sixteen checks that compute again instead of believing.

    Ten numbers are kept with every audit and shown beside those of the last one. The page is reports/audit-full.md. A state
    whose audit failed is no longer `last-good`. Exit code 0 only if all sixteen hold.

    The fifth check also reads the source files below --data. A line there that is not the one that was landed is a failure; a
    file that is gone is a warning, since files are rotated away: its records are held against raw.lines, which has all of them.
    """
    from pipeline.audit import REPORT, audit
    from pipeline.cli.printing import print_table
    from pipeline.cli.terminal import working

    settings = settings_of(
        data=data, warehouse=warehouse, exports=exports, reports=reports, sql=sql, drift_threshold=drift_threshold
    )
    with working(quiet=as_json) as terminal:
        found = audit(settings, terminal, full=full)
    held = sum(result.passed for result in found.results)
    if as_json:
        document = {
            "audit_id": found.audit_id,
            "run_id": found.run_id,
            "snapshot": found.snapshot,
            "passed": found.passed,
            "checks": [result.as_json() for result in found.results],
            "metrics": [vars(metric) for metric in found.metrics],
        }
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        rows = [[r.number, r.name, "ok" if r.passed else f"FAILED: {on_one_line(r.findings[0])}"] for r in found.results]
        print_table(("", "check", ""), rows)
        for result in found.results:
            for warning in result.warnings:
                click.echo(on_one_line(f"warning: {result.number} {result.name}: {warning}"))
        shown = [
            [m.name, "" if m.before is None else m.before, "?" if m.now is None else m.now, m.level] for m in found.metrics
        ]
        print_table(("metric", "last audit", "now", ""), shown)
        click.echo(f"{held}/{len(found.results)} hold; report: {reports / REPORT}")
    sys.exit(0 if found.passed else 1)
