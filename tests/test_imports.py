"""Imports point one way, and each library has its rooms."""

import ast
import graphlib
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PIPELINE = Path(__file__).parent.parent / "pipeline"
SQL = Path(__file__).parent.parent / "sql"
PAGE = Path(__file__).parent.parent / "docs/architecture.md"

# From the outside in: a room, or a file that stands alone, imports only what stands below its own line.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("release",),
    ("audit",),
    ("weights",),
    ("acceptance", "replay", "query"),
    ("search", "trace"),
    ("runner",),
    ("upkeep",),
    ("session", "turns"),
    ("stages",),
    ("counts", "drift"),
    ("collect", "score", "export", "index"),
    ("reader", "run"),
    ("store",),
    ("models", "reports"),
    ("engine", "remembered"),
    ("disk", "folders"),
    ("parallel",),
    ("errors", "keyboard", "settings", "version", "visible"),
    ("advice",),
)
LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules}

# Arrow is the language between the rooms; every other library has a home.
HOMES = {
    **{name: {"weights"} for name in ("datasets", "peft", "tokenizers", "torch", "transformers", "trl")},
    "click": {"cli"},
    "deltalake": {"store.delta", "store.marks", "store.upgrading"},
    "duckdb": {"engine"},
    "fastjsonschema": {"audit", "reports"},
    "filelock": {"store"},
    "gguf": {"weights"},
    "httpx2": {"replay"},
    "numpy": {"weights"},
    "openai": {"replay"},
    "orjson": {"collect", "cli"},
    "pydantic_monty": {"weights"},
    "polars": {"reader"},
    "rich": {"cli"},
    "sqlglot": {"models"},
    "tantivy": {"index.fulltext"},
    "xllamacpp": {"replay"},
    "zstandard": {"collect"},
}
CLI_KNOWS = {
    "acceptance",
    "advice",
    "audit",
    "errors",
    "keyboard",
    "models",
    "query",
    "reader",
    "release",
    "remembered",
    "replay",
    "reports",
    "runner",
    "search",
    "settings",
    "trace",
    "upkeep",
    "version",
    "visible",
    "weights",
}

each_file = pytest.mark.parametrize(
    "path", sorted(PIPELINE.rglob("*.py")), ids=lambda path: path.relative_to(PIPELINE).as_posix()
)


def module_of(path: Path) -> str:
    """Returns a file's name among imports, below pipeline: `store.delta`; `store` for the `__init__.py` of a room."""
    parts = path.relative_to(PIPELINE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def room_of(path: Path) -> str:
    """Returns the room below pipeline/ that a file is in, or the file's own name where it stands alone."""
    return module_of(path).split(".")[0]


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
    return {name.split(".")[1] for name in imported(path) if name.startswith("pipeline.")} - {room_of(path)}


@each_file
def test_imports_point_inwards(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert ours(path) == {"reader"}
        return
    assert room in LEVEL, f"{room} is new: give it a place in LAYERS"
    assert {name for name in ours(path) if LEVEL[name] <= LEVEL[room]} == set()


def test_no_two_files_of_a_room_need_each_other() -> None:
    paths = {module_of(path): path for path in PIPELINE.rglob("*.py")}
    needs = {module: {_module(name, paths) for name in names_in(path)} - {None} for module, path in paths.items()}
    graphlib.TopologicalSorter(needs).prepare()  # raises where there is a circle


def names_in(path: Path) -> Iterator[str]:
    """Yields every name of ours that a file imports: `store.delta.DeltaStore`, `store.delta`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pipeline":
            yield from (f"{node.module}.{alias.name}".removeprefix("pipeline.") for alias in node.names)


def _module(name: str, paths: dict[str, Path]) -> str | None:
    """Returns the file that a name is from: itself, where it is one."""
    return next((part for part in (name, name.rpartition(".")[0]) if part in paths), None)


@each_file
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    used = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names - {"pipeline", "pyarrow"}
    assert {name for name in used if not HOMES[name] & {room_of(path), module_of(path)}} == set()


def test_the_command_line_holds_no_logic() -> None:
    known = set().union(*(ours(path) for path in PIPELINE.glob("cli/*.py")))
    assert known <= CLI_KNOWS


def test_every_layer_is_there() -> None:
    assert {room_of(path) for path in PIPELINE.rglob("*.py")} - {"__init__"} == set(LEVEL)


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
