"""What tests of the full-text index look at: where it is, what it holds, and what it finds."""

from pathlib import Path

from pipeline import search
from pipeline.index import fulltext, indexing, shelf
from tests.conftest import Workspace


def folder(workspace: Workspace, as_of: str | None = None) -> Path:
    name = indexing.name_in(workspace.warehouse.snapshot(as_of))
    return shelf.place(workspace.settings.warehouse, name or "")


def found(workspace: Workspace, text: str, k: int = 8, as_of: str | None = None) -> list[tuple[str, float]]:
    with search.opened(workspace.warehouse, as_of) as corpus:
        assert corpus.note is None
        return corpus.search(text, k)


def ids(workspace: Workspace) -> set[str]:
    return {row["id"] for row in workspace.rows("exports.rag")}


def indexed(workspace: Workspace) -> list[str]:
    index = fulltext.Index(folder(workspace))
    try:
        return sorted(index.ids())
    finally:
        index.close()
