"""An audit as a page."""

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.audit.results import Audit, Result
from pipeline.visible import shown


def render(found: Audit) -> str:
    """Returns the audit as Markdown: verdict, checks with what they found, metrics beside those of the last audit."""
    held = sum(result.passed for result in found.results)
    verdict = "sound" if found.passed else "not sound"
    lines = [
        f"# Audit: {verdict}, {held}/{len(found.results)}",
        "",
        f"Snapshot {found.snapshot}, run `{found.run_id}`; audit `{found.audit_id}`, {found.audited_at:%Y-%m-%d %H:%M:%S} UTC.",
        "",
        *_table(
            ("", "check", "result"),
            ((r.number, r.name, _result(r)) for r in found.results),
        ),
        "## Numbers",
        "",
        *_table(
            ("metric", "last audit", "now", ""),
            (
                (m.name, "" if m.before is None else f"{m.before:,}", "?" if m.now is None else f"{m.now:,}", m.level)
                for m in found.metrics
            ),
        ),
    ]
    return shown("\n".join(lines))


def _result(result: Result) -> str:
    said = [*map(_safe, result.findings), *(f"warning: {_safe(text)}" for text in result.warnings)]
    return "<br>".join(said if result.findings else ["ok", *said])


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows), ""]


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")[:500]
