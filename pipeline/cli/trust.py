"""The commands that say whether the warehouse can be trusted: audit-full."""

import json
import sys
from pathlib import Path

import click

from pipeline.cli.options import Command, Percent, folder, json_option, reports_option, sql_option, warehouse_option
from pipeline.settings import Settings


@click.command("audit-full", cls=Command, short_help="Check the whole warehouse by computing it again.")
@click.option("--full", is_flag=True, help="Trace all records to their lines, not a sample of thirty.")
@click.option(
    "--drift-threshold",
    type=Percent(),
    default=20.0,
    show_default=True,
    help="Swing in percent against the last audit that is worth a warning.",
)
@warehouse_option
@folder("exports", "exports", "Folder that the corpora are written to.")
@reports_option
@sql_option
@json_option
def audit_full(
    full: bool, drift_threshold: float, warehouse: Path, exports: Path, reports: Path, sql: Path | None, as_json: bool
) -> None:
    """Check the whole warehouse as it stands: sixteen checks that compute again instead of believing.

    Ten numbers are kept with every audit and shown beside those of the last one. The page is reports/audit-full.md. A state
    whose audit failed is no longer `last-good`. Exit code 0 only if all sixteen hold.
    """
    from pipeline.audit import REPORT, audit
    from pipeline.cli.printing import print_table
    from pipeline.cli.terminal import working

    settings = Settings(warehouse=warehouse, exports=exports, reports=reports, sql=sql, drift_threshold=drift_threshold)
    with working(quiet=as_json) as terminal:
        found = audit(settings, terminal, full=full)
    held = sum(result.passed for result in found.results)
    if as_json:
        document = {
            "audit_id": found.audit_id,
            "run_id": found.run_id,
            "snapshot": found.snapshot,
            "passed": found.passed,
            "checks": [{"number": r.number, "name": r.name, "findings": list(r.findings)} for r in found.results],
            "metrics": [vars(metric) for metric in found.metrics],
        }
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        rows = [[r.number, r.name, "ok" if r.passed else f"FAILED: {r.findings[0]}"] for r in found.results]
        print_table(("", "check", ""), rows)
        shown = [
            [m.name, "" if m.before is None else m.before, "?" if m.now is None else m.now, m.level] for m in found.metrics
        ]
        print_table(("metric", "last audit", "now", ""), shown)
        click.echo(f"{held}/{len(found.results)} hold; report: {reports / REPORT}")
    sys.exit(0 if found.passed else 1)
