"""The command that freezes a state under a name: release-freeze."""

import json
import sys
from pathlib import Path

import click

from pipeline.cli.options import (
    Command,
    data_option,
    folder,
    json_option,
    reports_option,
    settings_of,
    sql_option,
    warehouse_option,
)


@click.command("release-freeze", cls=Command, short_help="Freeze the newest state under a name, after six gates.")
@click.argument("name")
@click.option(
    "--tests",
    metavar="COMMAND",
    default=None,
    help="What runs your tests, in the root of the repository. [default: make test]",
)
@data_option
@warehouse_option
@folder("exports", "exports", "Folder that the corpora are written to.")
@reports_option
@sql_option
@json_option
def release_freeze(
    name: str,
    tests: str | None,
    data: Path,
    warehouse: Path,
    exports: Path,
    reports: Path,
    sql: Path | None,
    as_json: bool,
) -> None:
    """Freeze the newest published state under NAME: vacuum keeps it, and `restore --to NAME` brings it back.

    \b
    1  git_clean    nothing is uncommitted where --sql points to, else in the current folder's repository
    2  tests        the tests pass
    3  versions     the models are locked and made this state, and every table is whole, hashed again
    4  acceptance   22/22
    5  audit_full   16/16; its numbers are added to the baselines
    6  name_free    no release and no git tag has this name

    Only if all six pass, the state is pinned, and the command that tags the commit is printed; it is not run. After a gate
    that failed, those that take minutes are not run any more. reports/release-freeze.md and reports/release-manifest.json
    say what was found, in either case.

    \b
    distill release-freeze v1.0
    distill release-freeze 2026-q2 --tests "pytest tests"
    """
    from pipeline.cli.printing import one_line, print_table
    from pipeline.cli.terminal import working
    from pipeline.release import MANIFEST, REPORT, freeze

    settings = settings_of(data=data, warehouse=warehouse, exports=exports, reports=reports, sql=sql)
    with working(quiet=as_json) as terminal:
        done = freeze(settings, name, terminal, tests=tests)
    if as_json:
        written = {"report": str(reports / REPORT), "manifest": str(reports / MANIFEST)}
        click.echo(json.dumps(done.manifest | {"git_tag": done.tag, "written": written}, ensure_ascii=True))
    else:
        rows = [[g["number"], g["name"], g["verdict"], one_line("; ".join(g["findings"]))] for g in done.manifest["gates"]]
        print_table(("", "gate", "verdict", ""), rows)
        verdict = f"{name} is snapshot {done.manifest['snapshot']}, run {done.manifest['run_id']}"
        click.echo(f"{f'frozen: {verdict}' if done.passed else 'not frozen'}; report: {reports / REPORT}")
    if done.tag is not None and not as_json:
        click.echo(f"tag the commit with: {done.tag}")
    for note in done.notes:
        click.echo(f"note: {note}", err=True)
    sys.exit(0 if done.passed else 1)
