"""summary.md: one run on one page."""

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.visible import on_one_line, shown

# So many counts are named that drift warns of.
SHOWN = 5
# What is counted of each stream.
PER_STREAM = ("lines", "records", "skipped", "deduped", "mistyped", "unmapped")


def summary_page(summary: dict[str, Any], receipts: list[dict[str, Any]], drift: dict[str, Any] | None) -> str:
    """Returns the page of a run: what came in, what came out, what was stopped, what changed."""
    verdict = "passed" if summary["overall_passed"] else "FAILED"
    lines = [f"# Run {summary['run_id']}: {verdict}", "", f"{summary['started_at']} to {summary['ended_at']}", ""]
    lines += _funnel(summary)
    lines += _table(("corpus", "rows"), [[name, rows] for name, rows in summary["datasets"].items()])
    for receipt in receipts:
        lines += _stage(receipt)
    lines += _drift(drift)
    return shown("\n".join(lines).rstrip() + "\n")


def _funnel(summary: dict[str, Any]) -> list[str]:
    columns = ("in", "out", "skipped", "deduped", "quarantined", "capped")
    rows = [
        [stage["stage"], stage["status"], *(stage["record_counts"][column] for column in columns), f"{stage['duration_ms']} ms"]
        for stage in summary["stages"]
    ]
    return _table(("stage", "status", *columns, "time"), rows)


def _stage(receipt: dict[str, Any]) -> list[str]:
    counts = receipt["record_counts"]
    lines = [f"## {receipt['stage']}", ""]
    for title, name in (("category", "by_category"), ("reason", "by_reason")):
        if counts[name]:
            lines += _table((title, "rows"), [[key, amount] for key, amount in counts[name].items()])
    by_stream = counts.get("by_stream")
    if by_stream:
        columns = [name for name in PER_STREAM if any(name in held for held in by_stream.values())]
        lines += _table(
            ("stream", *columns), [[on_one_line(s), *(held.get(c, 0) for c in columns)] for s, held in by_stream.items()]
        )
    for kind in ("errors", "warnings"):
        lines += [f"- {kind.removesuffix('s')}: {on_one_line(text)}" for text in receipt["validation"][kind]]
    return [*lines, ""] if lines[-1] else lines


def _drift(drift: dict[str, Any] | None) -> list[str]:
    if drift is None or drift["previous_run_id"] is None:
        return []
    lines = [f"## What changed since {drift['previous_run_id']}: {drift['level']}", ""]
    columns = ("table", "added", "removed", "changed", "cause")
    lines += _table(
        columns,
        [[row[column] or 0 if column != "cause" else row[column] or "" for column in columns] for row in drift["tables"]],
    )
    notable = [row for row in drift["metrics"] if row["level"] != "ok"]
    if notable:
        names = ("metric", "before", "after", "pct_change", "cause")
        lines += _table(names, [[_shown(row[name]) for name in names] for row in notable])
    return lines


def drifted(metrics: Iterable[dict[str, Any]]) -> list[str]:
    """Returns a line for each count that moved so far that it is worth a look: first those of what came out."""
    warned = [metric for metric in metrics if metric["level"] != "ok"]
    return [f"drift: {_moved(metric)}" for metric in sorted(warned, key=lambda metric: not metric["metric"].endswith("/out"))]


def first_of(findings: Sequence[str]) -> list[str]:
    """Returns the first of many findings, and how many more there are."""
    more = [f"drift: {len(findings) - SHOWN:,} more counts, which the report names"] if len(findings) > SHOWN else []
    return [*findings[:SHOWN], *more]


def _moved(metric: dict[str, Any]) -> str:
    before, after = (f"{metric[name] or 0:,.0f}" for name in ("before", "after"))
    share = f" ({metric['pct_change']:+.1f} %)" if metric["pct_change"] is not None else ""
    cause = f", cause: {metric['cause']}" if metric["cause"] is not None else ""
    return f"{metric['metric']} went from {before} to {after}{share}{cause}"


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _table(columns: tuple[str, ...], rows: list[list[Any]]) -> list[str]:
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return [*head, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]
