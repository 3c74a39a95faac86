"""The commands about published states: history, diff, restore, vacuum."""

import json
from pathlib import Path
from typing import Any

import click

from pipeline import advice
from pipeline.cli.options import (
    Command,
    Finite,
    exports_option,
    json_option,
    reports_option,
    settings_of,
    sql_option,
    warehouse_option,
)

# So many runs that published a version are named.
SHOWN = 3
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@click.command(cls=Command, short_help="List the published states, or the versions of a table.")
@click.argument("table", required=False)
@warehouse_option
@sql_option
@json_option
def history(table: str | None, warehouse: Path, sql: Path | None, as_json: bool) -> None:
    """List what was published, newest first; with TABLE, the versions of that table and what made them.

    \b
    distill history
    distill history scored.runs
    """
    from pipeline.cli.printing import print_table
    from pipeline.reader import Warehouse

    reader = Warehouse(warehouse, sql=sql)
    rows = _states(reader.snapshots()) if table is None else reader.versions(table)
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, default=str))
    elif rows:
        shown = [name for name in rows[0] if name != "models"]
        print_table(shown, [[_few(row[name]) if name == "published by" else row[name] for name in shown] for row in rows])
    else:
        click.echo(f"nothing was published here yet; `{advice.command('run-all')}` does")


def _few(names: str) -> str:
    """Returns the first of many names; --json has all."""
    first = names.split(", ")
    return names if len(first) <= SHOWN else f"{', '.join(first[:SHOWN])} and {len(first) - SHOWN} more"


def _states(published: list[Any]) -> list[dict[str, Any]]:
    rows = []
    for state in reversed(published):
        notes = [
            f"restored {state.restored_run_id}" if state.restored_run_id else "",
            *(f"release {n}" for n in state.releases),
        ]
        notes += ["audit passed" if state.audit_passed else "audit failed"] if state.audit_passed is not None else []
        notes += ["vacuumed"] if state.vacuumed else []
        rows.append(
            {
                "snapshot": state.snapshot,
                "run_id": state.run_id,
                "kind": state.kind,
                "published": f"{state.published_at:%Y-%m-%d %H:%M:%S}",
                **{name: state.tables[f"exports.{name}"].rows for name in ("rag", "sft", "preference", "quarantine")},
                "run_hash": state.run_hash[:12],
                "notes": ", ".join(filter(None, notes)),
            }
        )
    return rows


@click.command(cls=Command, short_help="Say which rows of a table differ between two states.")
@click.argument("table")
@click.argument("before", metavar="FROM")
@click.argument("after", metavar="TO", default="latest")
@click.option("--limit", type=click.IntRange(0, 2**31 - 1), default=20, show_default=True, help="How many rows to list.")
@warehouse_option
@sql_option
@json_option
def diff(table: str, before: str, after: str, limit: int, warehouse: Path, sql: Path | None, as_json: bool) -> None:
    """Say which rows of TABLE were added, removed and changed between FROM and TO, and in which columns.

    FROM and TO are what --as-of takes: a run id, a release, latest, last-good, 'N runs ago', or a time.

    \b
    distill diff scored.runs "1 run ago"
    distill diff exports.sft last-good latest --json
    """
    from pipeline.cli.printing import print_table
    from pipeline.query.comparing import difference
    from pipeline.reader import Warehouse

    found = difference(Warehouse(warehouse, sql=sql), table, before, after, limit)
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    click.echo(f"{table}: from run {found.before.run_id} to run {found.after.run_id}")
    click.echo(", ".join(f"{amount:,} {kind}" for kind, amount in found.counts.items()))
    if found.columns:
        click.echo("changed: " + ", ".join(f"{name} in {amount:,}" for name, amount in found.columns.items()))
    if found.rows:
        rows = [[row["kind"], row["key"], ", ".join(row["columns"] or ())] for row in found.rows]
        print_table(("", "key", "columns"), rows)
        if (left := sum(found.counts.values()) - len(rows)) > 0:
            click.echo(f"and {left:,} more; --limit shows more of them")


@click.command(cls=Command, short_help="Put the warehouse and its files back to a published state.")
@click.option("--to", required=True, metavar="WHEN", help="last-good, a run id, a release, 'N runs ago', or a time.")
@dry_run_option
@warehouse_option
@exports_option
@reports_option
@sql_option
@json_option
def restore(to: str, dry_run: bool, warehouse: Path, exports: Path, reports: Path, sql: Path | None, as_json: bool) -> None:
    """Put every table and every export file back to a published state, all together.

    Everything is read and hashed again and held against what was published then. Only if all of it is the same, a new snapshot
    makes it count, which names what it undid; otherwise nothing changes, and the damaged file is named. Lines that landed later
    land again with the next run. A restore can be undone by a restore.

    \b
    distill restore --to last-good --dry-run
    distill restore --to last-good
    distill restore --to "1 run ago"      right after a restore: undoes it
    """
    from pipeline.cli.printing import print_table
    from pipeline.cli.terminal import working
    from pipeline.upkeep.restoring import restore as put_back

    settings = settings_of(warehouse=warehouse, exports=exports, reports=reports, sql=sql)
    with working(quiet=as_json) as terminal:
        done = put_back(settings, to, terminal, dry_run=dry_run)
    if as_json:
        document = {
            "snapshot": done.snapshot,
            "to": done.target.run_id,
            "undone": list(done.undone),
            "dry_run": dry_run,
            "steps": [vars(step) for step in done.steps],
            "notes": list(done.notes),
        }
        click.echo(json.dumps(document))
        return
    changed = [step for step in done.steps if step.changes]
    if changed:
        print_table(("", "rows now", "rows then"), [[step.name, step.before, step.after] for step in changed])
    else:
        click.echo("no table and no file differs")
    if done.snapshot is None:
        click.echo(f"this would put back run {done.target.run_id} and undo {len(done.undone)} published states")
    else:
        click.echo(f"restored to run {done.target.run_id}; every table and file was hashed again and is as it was")
        click.echo(f"snapshot {done.snapshot}; undo with: {advice.command('restore', '--to', '1 run ago')}")
    for note in done.notes:
        click.echo(f"note: {note}", err=True)


@click.command(cls=Command, short_help="Remove files that no kept state needs.")
@click.option(
    "--keep-runs",
    type=click.IntRange(min=1, max=2**31 - 1),
    default=30,
    show_default=True,
    help="Keep the newest so many states.",
)
@click.option("--keep-days", type=Finite(min=0, max=36500), default=7, show_default=True, help="Keep states younger than this.")
@dry_run_option
@warehouse_option
@exports_option
@reports_option
@sql_option
@json_option
def vacuum(
    keep_runs: int,
    keep_days: float,
    dry_run: bool,
    warehouse: Path,
    exports: Path,
    reports: Path,
    sql: Path | None,
    as_json: bool,
) -> None:
    """Remove Parquet files that only old states need: they can't be read or restored afterwards.

    A state is kept by either option, and the answer says by which; the newest, the last good one, every release and whatever is
    being read at the moment are kept in any case.
    """
    from pipeline.cli.printing import print_table
    from pipeline.cli.terminal import working
    from pipeline.upkeep.vacuuming import vacuum as remove

    settings = settings_of(warehouse=warehouse, exports=exports, reports=reports, sql=sql)
    with working(quiet=as_json) as terminal:
        done = remove(settings, keep_runs, keep_days, terminal, dry_run=dry_run)
    if as_json:
        document = {
            "kept": [state.run_id for state in done.kept],
            "reasons": {run_id: list(reasons) for run_id, reasons in done.reasons.items()},
            "dropped": [state.run_id for state in done.dropped],
            "files": done.files,
            "bytes": done.bytes,
            "notes": list(done.notes),
            "dry_run": dry_run,
        }
        click.echo(json.dumps(document))
        return
    print_table(
        ("snapshot", "run_id", "kept because"), [[s.snapshot, s.run_id, ", ".join(done.reasons[s.run_id])] for s in done.kept]
    )
    verb = "would remove" if dry_run else "removed"
    click.echo(
        f"{verb} {done.files:,} files, {done.bytes / 1e6:,.1f} MB; kept {len(done.kept)} of "
        f"{len(done.kept) + len(done.dropped)} states"
    )
    for note in done.notes:
        click.echo(f"note: {note}", err=True)
