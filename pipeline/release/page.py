"""A freeze as a page."""

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.visible import shown


def render(manifest: dict[str, Any], tag: str | None) -> str:
    """Returns a freeze as Markdown: the verdict of every gate, and what the release is made of."""
    frozen = manifest["frozen"]
    lines = [
        f"# Release {manifest['name']}: {'frozen' if frozen else 'not frozen'}",
        "",
        f"Snapshot {manifest['snapshot']}, run `{manifest['run_id']}`, commit `{manifest['git_head'] or 'none'}`; "
        f"{manifest['decided_at']}.",
        "",
        *_table(("", "gate", "verdict", "found"), map(_gate, manifest["gates"])),
    ]
    if frozen:
        lines += [f"Nobody tagged the commit yet: `{tag}`", ""]
    lines += ["## What it is made of", ""]
    lines += _table(("corpus", "rows"), manifest["datasets"].items())
    lines += _table(("file", "bytes", "rows", "sha256"), _rows(manifest["files"], "path", "bytes", "rows", "sha256"))
    lines += _table(
        ("table", "version", "rows", "sha256"), _rows(manifest["tables"], "name", "delta_version", "rows", "sha256")
    )
    lines += _table(("model", "version", "fingerprint"), _rows(manifest["models"], "name", "version", "fingerprint"))
    return shown("\n".join(lines).rstrip() + "\n")


def _gate(gate: dict[str, Any]) -> Sequence[Any]:
    return gate["number"], gate["name"], gate["verdict"], "<br>".join(map(_safe, gate["findings"]))


def _rows(documents: Iterable[dict[str, Any]], *names: str) -> Iterable[Sequence[Any]]:
    return ([_short(document[name]) for name in names] for document in documents)


def _short(value: Any) -> Any:
    return "" if value is None else value


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return [*head, *(f"| {' | '.join(map(str, row))} |" for row in rows), ""]


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")[:500]
