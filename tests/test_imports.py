"""Imports point one way, and each library has its rooms."""

import ast
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PIPELINE = Path(__file__).parent.parent / "pipeline"
SQL = Path(__file__).parent.parent / "sql"
PAGE = Path(__file__).parent.parent / "docs/architecture.md"

# From the outside in: a module imports only what stands below its own line.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("coverage", "fleet", "health", "release"),
    ("audit", "comparing"),
    ("replay",),
    ("search",),
    ("acceptance", "trace"),
    ("restoring", "runner", "vacuuming", "reader"),
    ("session", "stages"),
    ("counts", "drift", "pages"),
    ("page_folder",),
    ("files",),
    ("compaction", "evidence", "scoring", "model_ledger", "exports", "indexing", "playbooks"),
    ("mending",),
    ("scope",),
    ("run",),
    ("landing", "catalog"),
    ("snapshots",),
    ("contents", "ledger", "writing"),
    ("warehouse",),
    ("upgrading",),
    ("compile", "tables", "receipts", "shelf"),
    ("engine", "fulltext", "models", "readers", "reading", "sources", "splicing"),
    ("errors", "keyboard", "lines", "manifest", "parallel", "report", "settings", "version"),
)
LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules}

# Arrow is the language between the rooms; every other library has a home.
HOMES = {
    "click": {"cli"},
    "deltalake": {"upgrading", "warehouse"},
    "duckdb": {"engine"},
    "fastjsonschema": {"audit", "receipts"},
    "filelock": {"readers", "warehouse"},
    "openai": {"replay"},
    "orjson": {"lines", "cli"},
    "polars": {"reader"},
    "rich": {"cli"},
    "tantivy": {"fulltext"},
    "sqlglot": {"models", "compile", "tables"},
    "xllamacpp": {"replay"},
    "zstandard": {"sources", "landing"},
}
CLI_KNOWS = {
    "acceptance",
    "audit",
    "comparing",
    "coverage",
    "errors",
    "fleet",
    "health",
    "keyboard",
    "models",
    "reader",
    "receipts",
    "release",
    "replay",
    "restoring",
    "runner",
    "search",
    "settings",
    "trace",
    "vacuuming",
    "version",
}

each_file = pytest.mark.parametrize(
    "path", sorted(PIPELINE.rglob("*.py")), ids=lambda path: path.relative_to(PIPELINE).as_posix()
)


def module_of(path: Path) -> str:
    """Returns the module, or the package below pipeline/, that a file belongs to."""
    return path.relative_to(PIPELINE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Yields what a file imports anywhere: `pipeline.engine`, `pyarrow`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are absolute"
            if node.module == "pipeline":
                yield from (f"pipeline.{alias.name}" for alias in node.names)
            else:
                yield node.module


def ours(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("pipeline.")} - {module_of(path)}


@each_file
def test_imports_point_inwards(path: Path) -> None:
    module = module_of(path)
    if module == "__init__":
        assert ours(path) == {"reader"}
        return
    assert module in LEVEL, f"{module} is new: give it a place in LAYERS"
    assert {name for name in ours(path) if LEVEL[name] <= LEVEL[module]} == set()


@each_file
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    used = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names - {"pipeline", "pyarrow"}
    assert {name for name in used if module_of(path) not in HOMES[name]} == set()


def test_the_command_line_holds_no_logic() -> None:
    known = set().union(*(ours(path) for path in PIPELINE.glob("cli/*.py")))
    assert known <= CLI_KNOWS


def test_every_layer_is_there() -> None:
    assert {module_of(path) for path in PIPELINE.rglob("*.py")} - {"__init__"} == set(LEVEL)


@each_file
def test_no_stream_is_known_by_name(path: Path) -> None:
    streams = {model.stem for model in SQL.glob("1_evidence/*.sql") if not model.stem.startswith("_")}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings}
    assert set(re.findall(r"\w+", " ".join(texts))) & streams == set()


def test_the_page_shows_the_same_layers() -> None:
    table = PAGE.read_text(encoding="utf-8").split("| layer |")[1].split("\n\n")[0]
    rows = [[LEVEL[name] for name in re.findall(r"`(\w+)`", line.split("|")[2])] for line in table.splitlines()[2:]]
    assert sorted(level for row in rows for level in row) == sorted(LEVEL[name] for name in LEVEL if name != "__main__")
    assert all(max(above) < min(below) for above, below in itertools.pairwise(rows))
