"""Sets of tasks: those that come along hold together, and a line that is no task is refused by its place."""

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.weights import sandbox
from pipeline.weights.sandbox import opened
from pipeline.weights.tasks import Task, bundled, read, set_sha256
from tests.conftest import Workspace
from tools.tasks.__main__ import main as generate
from tools.tasks.__main__ import returned

needs_sandbox = pytest.mark.skipif(
    not sandbox.is_installed(), reason="the extra local-train is not installed; make setup-train"
)
HOLD_OUT, PRACTICE = bundled()["bundled-hold-out"], bundled()["bundled-practice"]
ALL = (*HOLD_OUT, *PRACTICE)
LINE = {"prompt": "Write add(a, b).", "entry_point": "add", "calls": ["add(1, 2)", "add(0, 0)"], "expected": [3, 0]}


def written(path: Path, *lines: Any) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), encoding="utf-8")
    return path


def test_the_bundled_sets_are_as_large_as_they_say() -> None:
    assert (len(HOLD_OUT), len(PRACTICE)) == (60, 180)
    assert {(task.set, task.role) for task in ALL} == {("bundled-hold-out", "hold_out"), ("bundled-practice", "practice")}
    assert len({task.task_id for task in ALL}) == len({task.entry_point for task in ALL}) == 240
    assert all(3 <= len(task.calls) <= 6 and task.reference for task in ALL)
    assert not {task.family for task in HOLD_OUT} & {task.family for task in PRACTICE}
    assert set(Counter(task.family for task in ALL).values()) == {3}


def test_no_task_can_be_passed_by_one_value_for_all_calls() -> None:
    same = [task.task_id for task in ALL if len({json.dumps(value) for value in task.expected}) == 1]
    assert same == []


@needs_sandbox
def test_every_reference_passes_and_cpython_agrees() -> None:
    with opened() as box:
        for task in ALL:
            assert task.reference is not None
            assert box.judge(task.reference, task.entry_point, task.calls, task.expected).verdict == "passed", task
            assert json.dumps(returned(task.reference, list(task.calls))) == json.dumps(list(task.expected))


@needs_sandbox
def test_no_reference_passes_another_task_of_its_family() -> None:
    with opened() as box:
        for task, other in product(ALL, ALL):
            if task.family == other.family and task is not other:
                code = f"{other.reference}\n{task.entry_point} = {other.entry_point}\n"
                assert box.judge(code, task.entry_point, task.calls, task.expected).verdict != "passed", (task, other)


def test_the_generator_writes_what_is_bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["tasks", "--to", str(tmp_path)])
    assert generate() == 0
    folder = Path(sandbox.__file__).with_name("bundled")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_practice_gives_nothing_of_the_hold_out_away() -> None:
    for held, other in product(HOLD_OUT, PRACTICE):
        assert not _grams(held.prompt, 13) & _grams(other.prompt, 13), (held.prompt, other.prompt)
        assert _jaccard(_grams(held.prompt, 3), _grams(other.prompt, 3)) < 0.8
        assert _code(held) != _code(other), (held.task_id, other.task_id)
        assert held.entry_point != other.entry_point


def _grams(text: str, size: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[start : start + size]) for start in range(len(words) - size + 1)}


def _jaccard(one: set[Any], other: set[Any]) -> float:
    return len(one & other) / max(1, len(one | other))


def _code(task: Task) -> str:
    """The reference without its own name: what is left is what it does."""
    return " ".join((task.reference or "").replace(task.entry_point, "f").split())


def test_a_line_has_defaults(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    (task,) = read(written(tmp_path / "mine.jsonl", "", LINE, "  "), "practice")
    assert (task.task_id, task.set, task.role, task.family, task.reference) == ("add", "mine", "practice", "", None)
    assert task.source == "mine.jsonl" and before <= task.written_at <= datetime.now(UTC)
    assert (task.calls, task.expected) == (("add(1, 2)", "add(0, 0)"), (3, 0))
    full = LINE | {"task_id": "a", "family": "f", "reference": "def add(a, b): return a + b", "source": "book"}
    (task,) = read(written(tmp_path / "mine.jsonl", full | {"written_at": "2026-01-02T03:04:05+01:00"}), "hold_out", "named")
    assert (task.set, task.task_id, task.family, task.source) == ("named", "a", "f", "book")
    assert task.written_at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is not JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ({key: value for key, value in LINE.items() if key != "prompt"}, "prompt"),
        (LINE | {"prompt": " "}, "prompt"),
        (LINE | {"prompt": 3}, "prompt"),
        (LINE | {"entry_point": "a b"}, "entry_point"),
        (LINE | {"entry_point": "class"}, "entry_point"),
        (LINE | {"calls": []}, "calls"),
        (LINE | {"calls": "add(1, 2)"}, "calls"),
        (LINE | {"calls": ["add(1, 2)", 3]}, "texts"),
        (LINE | {"expected": [3]}, "one value for each call"),
        (LINE | {"expected": 3}, "one value for each call"),
        (LINE | {"calls": ["add(1, 2)", "sub(0, 0)"]}, "'sub(0, 0)' must call add"),
        (LINE | {"calls": ["add(1, 2)", "add(0, 0) == 0 or add(0, 0)"]}, "must call add"),
        (LINE | {"calls": ["add(1, 2)", "add(*[0, 0])"]}, "must call add"),
        (LINE | {"calls": ["add(1, 2)", "add(**{})"]}, "must call add"),
        (LINE | {"calls": ["add(1, 2)", "add(open('x'), 0)"]}, "must call add"),
        (LINE | {"calls": ["add(1, 2)", "add(1, 2); import os"]}, "must call add"),
        (LINE | {"calls": ["add(1, 2)", "add(" + "(" * 9000]}, "must call add"),
        (json.dumps(LINE).replace("[3, 0]", "[NaN, 0]"), "NaN"),
        (json.dumps(LINE).replace("[3, 0]", "[3, -Infinity]"), "-Infinity"),
        (json.dumps(LINE).replace("[3, 0]", '[3, "\\ud800"]'), "surrogate"),
        (json.dumps(LINE).replace("[3, 0]", f"[3, {'[' * 40}{']' * 40}]"), "deep"),
        (LINE | {"written_at": "yesterday"}, "written_at"),
        (LINE | {"written_at": 5}, "written_at"),
        (LINE | {"prompt": "again"}, "task_id 'add' is that of line 1"),
        (LINE | {"task_id": "other"}, "asks the same as line 1"),
    ],
)
def test_a_line_that_is_no_task_is_refused_by_its_place(tmp_path: Path, line: Any, said: str) -> None:
    path = written(tmp_path / "mine.jsonl", LINE, "", line)
    with pytest.raises(UsageError, match=re.escape(f"{path}:3: ")) as raised:
        read(path, "practice")
    assert said in str(raised.value) and "Traceback" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe{}\n"])
def test_a_file_without_tasks_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(str(path))):
        read(path, "practice")


def test_the_hash_of_a_set_is_its_content(tmp_path: Path) -> None:
    mixed = list(HOLD_OUT)
    random.Random(1).shuffle(mixed)
    assert set_sha256(mixed) == set_sha256(HOLD_OUT) != set_sha256(HOLD_OUT[1:])

    def sha(*lines: dict[str, Any], name: str = "a") -> str:
        return set_sha256(read(written(tmp_path / f"{name}.jsonl", *lines), "practice"))

    assert sha(LINE) == sha(LINE | {"source": "x", "written_at": "2020-01-01"}, name="b")
    edits: Sequence[dict[str, Any]] = (
        {"prompt": "Write add(a, b)!"},
        {"calls": ["add(1, 2)", "add(0, 1)"]},
        {"expected": [3, False]},
        {"expected": [3, 0.0]},
        {"reference": "def add(a, b): return a + b"},
        {"task_id": "x"},
    )
    assert len({sha(LINE), *(sha(LINE | edit) for edit in edits)}) == 1 + len(edits)


def test_tasks_are_added_once_and_a_set_is_frozen(ready: Workspace) -> None:
    path = written(ready.root / "mine.jsonl", LINE)
    assert ready.command("tasks", "add", str(path), "--role", "hold_out").returncode == 0
    (row,) = ready.rows("distill.tasks")
    assert (row["set_name"], row["role"], row["task_id"], row["expected"]) == ("mine", "hold_out", "add", "[3, 0]")
    assert row["set_sha256"] == set_sha256(read(path, "hold_out"))
    again = ready.command("tasks", "add", str(path), "--role", "hold_out")
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True)

    edited = written(ready.root / "edited.jsonl", LINE | {"expected": [3, 1]})
    refused = ready.command("tasks", "add", str(edited), "--role", "hold_out", "--set", "mine")
    assert refused.returncode == 2 and "frozen" in refused.stderr and "--set mine-2" in refused.stderr
    as_practice = ready.command("tasks", "add", str(path), "--role", "practice", "--set", "else")
    assert as_practice.returncode == 2 and "must not be practised" in as_practice.stderr
    assert len(ready.rows("distill.tasks")) == 1

    listed = json.loads(ready.command("tasks", "list", "--json").stdout)
    assert [(one["set"], one["role"], one["tasks"]) for one in listed] == [
        ("bundled-hold-out", "hold_out", 60),
        ("bundled-practice", "practice", 180),
        ("mine", "hold_out", 1),
    ]
    assert "bundled-hold-out" in ready.command("tasks", "list").stdout


def test_a_run_and_a_restore_leave_the_tasks_alone(ready: Workspace) -> None:
    path = written(ready.root / "mine.jsonl", LINE)
    assert ready.command("tasks", "add", str(path), "--role", "hold_out").returncode == 0
    before = ready.rows("distill.tasks")
    hashes = ready.hashes()
    ready.passed()
    assert ready.command("restore", "--to", "1 run ago").returncode == 0
    assert ready.rows("distill.tasks") == before and ready.hashes() == hashes


@needs_sandbox
def test_a_wrong_reference_is_refused_by_its_place(ready: Workspace) -> None:
    good, bad = (
        LINE | {"task_id": name, "prompt": name, "reference": f"def add(a, b): return a {name[1]} b"} for name in ("x+", "y-")
    )
    done = ready.command("tasks", "add", str(written(ready.root / "mine.jsonl", good, bad)), "--role", "practice")
    assert done.returncode == 2 and "mine.jsonl:2: the reference of 'y-' does not pass (failed)" in done.stderr
    assert ready.rows("distill.tasks") == []
