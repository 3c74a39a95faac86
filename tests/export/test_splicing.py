"""A published file mended by copying what stays: the bytes are those of a file that is written anew."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import GateError
from pipeline.export import splicing
from pipeline.export.splicing import splice
from tests.conftest import Workspace
from tests.support.harm import harmful_write
from tests.support.rows import review

# Some ids begin as others end, and lines are of any length: what is looked for may stand anywhere.
IDS = st.text("ab", min_size=1, max_size=6)
TEXTS = st.text("x", max_size=40)


def written(path: Path, lines: Mapping[str, str]) -> bytes:
    path.write_text("".join(f'{{"schema_version":1,"id":"{name}","text":"{lines[name]}"}}\n' for name in sorted(lines)))
    return path.read_bytes()


@given(
    before=st.dictionaries(IDS, TEXTS, max_size=30),
    now=st.dictionaries(IDS, TEXTS, max_size=30),
    step=st.integers(1, 200),
    block=st.integers(1, 200),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_spliced_file_is_the_one_that_is_written_anew(
    tmp_path: Path, before: dict[str, str], now: dict[str, str], step: int, block: int
) -> None:
    published, new, target = tmp_path / "published", tmp_path / "new", tmp_path / "target"
    removed = frozenset(name for name in before if before[name] != now.get(name))
    whole = written(tmp_path / "whole", now)
    was = written(published, before)
    written(new, {name: text for name, text in now.items() if before.get(name) != text})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splicing, "_STEP", step)
        patch.setattr(splicing, "_KEPT", step)
        patch.setattr(splicing, "_BLOCK", block)
        assert splice(published, new, removed, target) == hashlib.sha256(whole).hexdigest()
    assert target.read_bytes() == whole
    assert published.read_bytes() == was


@pytest.mark.parametrize("block", [20, 1 << 16])
@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda content: content[:-1], id="shorter"),
        pytest.param(lambda content: content + b"\n", id="longer"),
        pytest.param(lambda content: content.replace(b"xx", b"xy", 1), id="a copied line differs"),
        pytest.param(lambda content: content.replace(b"new", b"old", 1), id="a new line differs"),
        pytest.param(lambda content: b"", id="empty"),
    ],
)
def test_what_was_written_otherwise_is_found(
    tmp_path: Path, harm: Callable[[bytes], bytes], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, new, target = tmp_path / "published", tmp_path / "new", tmp_path / "target"
    written(published, {"a": "xx", "b": "gone", "d": "x"})
    written(new, {"c": "new"})
    monkeypatch.setattr(splicing, "_BLOCK", block)
    splice(published, new, frozenset({"b"}), target)
    harmful_write(monkeypatch, harm)
    with pytest.raises(GateError, match="target"):
        splice(published, new, frozenset({"b"}), target)


def test_a_copy_that_reads_otherwise_stops_the_run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks in SQL read new lines to the letter, and of copied ones only where they come from."""
    workspace.write("observer_reviews.jsonl", [review("t", "accept", f"fine {number}", number % 60) for number in range(40)])
    workspace.passed()
    before = workspace.files()
    workspace.write("observer_reviews.jsonl", [review("t", "accept", "more", 59)])
    harmful_write(monkeypatch, lambda content: content.replace(b"fine 7", b"mine 7"))
    outcome = workspace.run()
    assert isinstance(outcome.failure, GateError)
    assert "reads otherwise than it was written" in str(outcome.failure)
    assert not outcome.summary["overall_passed"]
    assert workspace.files() == before
    monkeypatch.undo()
    workspace.passed()
    assert b"mine 7" not in workspace.files()["rag/playbooks.jsonl"]


def test_a_line_to_remove_must_be_there(tmp_path: Path) -> None:
    written(tmp_path / "published", {"a": "", "c": ""})
    written(tmp_path / "new", {})
    with pytest.raises(GateError, match="has no line b to take out"):
        splice(tmp_path / "published", tmp_path / "new", frozenset({"b"}), tmp_path / "target")
