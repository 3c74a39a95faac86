"""Tasks whose answers can be run: the bundled ones, and those of a file."""

import ast
import hashlib
import json
import keyword
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from pipeline.errors import UsageError

ROLES = ("hold_out", "instrument", "practice")
# By their files in this package.
_BUNDLED = {"bundled-hold-out": ("hold-out.jsonl", "hold_out"), "bundled-practice": ("practice.jsonl", "practice")}
_FOLDER = Path(__file__).with_name("bundled")
_MOST_CALLS, _DEEPEST = 100, 32
# What a set is the same without: where and when its tasks came from, and what it is called.
_BESIDE = ("set", "role", "written_at", "source")


@dataclass(frozen=True)
class Task:
    """A function to write, and what its calls must return.

    set:      what it belongs to; role: hold_out (measured), instrument (a public benchmark, measured) or practice
    calls:    each calls the entry point with literals; expected: their values as JSON has them, one for each
    """

    task_id: str
    set: str
    role: str
    family: str
    prompt: str
    entry_point: str
    calls: tuple[str, ...]
    expected: tuple[Any, ...]
    reference: str | None
    written_at: datetime
    source: str


class _Odd(ValueError):  # noqa: N818 - what is wrong with one line
    pass


@cache
def bundled() -> dict[str, tuple[Task, ...]]:
    """Returns the sets that come along, by name: `bundled-hold-out` (60 tasks) and `bundled-practice` (180)."""
    return {name: read(_FOLDER / file, role, name) for name, (file, role) in _BUNDLED.items()}


def read(path: Path, role: str, set: str | None = None) -> tuple[Task, ...]:
    """Returns the tasks of a file, one JSON object a line. set: by default the file's name.

    Each has prompt, entry_point, calls and expected; and may have task_id, family, reference, written_at and source.
    Raises UsageError for a line that is no task, by its number.
    """
    return tuple(numbered(path, role, set).values())


def numbered(path: Path, role: str, set: str | None = None) -> dict[int, Task]:
    """Returns the same as `read`, by the number of the line."""
    if role not in ROLES:
        raise UsageError(f"{role!r}: not a role; roles are {', '.join(ROLES)}")
    name = path.stem if set is None else set
    if not name.strip() or not name.isprintable():
        raise UsageError(f"{name!r} can't be the name of a set; name it with --set NAME")
    found: dict[int, Task] = {}
    named: dict[str, int] = {}
    asked: dict[tuple[str, tuple[str, ...]], int] = {}
    now = datetime.now(UTC).replace(microsecond=0)
    for number, line in _lines(path):
        try:
            task = _task(_object(line), name, role, now, path.name)
        except _Odd as odd:
            raise UsageError(f"{path}:{number}: {odd}") from None
        if (earlier := named.setdefault(task.task_id, number)) != number:
            raise UsageError(f"{path}:{number}: task_id {task.task_id!r} is that of line {earlier} too")
        if (earlier := asked.setdefault((task.prompt, task.calls), number)) != number:
            raise UsageError(f"{path}:{number}: asks the same as line {earlier}")
        found[number] = task
    if not found:
        raise UsageError(f"{path}: there are no tasks in it; write one JSON object a line")
    return found


def check_of(path: Path) -> Task:
    """Returns the one task of a file that says how to check an answer; its prompt may be left out."""
    found = list(_lines(path))
    if len(found) != 1:
        raise UsageError(
            f"{path}: holds {len(found)} lines; an answer is checked with one, which has entry_point, calls, expected"
        )
    number, line = found[0]
    try:
        given = _object(line)
        return _task({"prompt": given.get("entry_point"), **given}, path.stem, "practice", datetime.now(UTC), path.name)
    except _Odd as odd:
        raise UsageError(f"{path}:{number}: {odd}") from None


def set_sha256(tasks: Sequence[Task]) -> str:
    """Returns a hash over what the tasks ask and expect, in whatever order they stand. An edited set has another.

    Left out are the set's name, role, times and sources: the same tasks under another name are the same.
    """
    lines = sorted(json.dumps(_content(task), sort_keys=True, separators=(",", ":")) for task in tasks)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _content(task: Task) -> dict[str, Any]:
    return {name: value for name, value in asdict(task).items() if name not in _BESIDE}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror or error}") from None
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            raise UsageError(f"{path}:{number}: is not UTF-8") from None
        if text:
            yield number, text


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_refuse_constant)
    except _Odd:
        raise
    except RecursionError:
        raise _Odd("is nested too deeply") from None
    except ValueError as error:
        raise _Odd(f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _Odd("is not a JSON object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise _Odd(f"holds {name}, which equals nothing that could be returned")


def _task(given: dict[str, Any], set: str, role: str, now: datetime, file: str) -> Task:
    entry_point = _text(given, "entry_point")
    if not entry_point.isidentifier() or keyword.iskeyword(entry_point):
        raise _Odd(f"entry_point {entry_point!r} can't be the name of a function")
    calls, expected = given.get("calls"), given.get("expected")
    if not isinstance(calls, list) or not 0 < len(calls) <= _MOST_CALLS:
        raise _Odd(f"calls must be a list of 1 to {_MOST_CALLS} texts, such as {entry_point}(1, 2)")
    if not isinstance(expected, list) or len(expected) != len(calls):
        raise _Odd("expected must be a list with one value for each call")
    for call in calls:
        _refuse_odd_call(call, entry_point)
    if _depth(expected) > _DEEPEST:
        raise _Odd(f"expected is nested more than {_DEEPEST} deep")
    try:
        json.dumps([calls, expected], ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _Odd("calls or expected hold half of a surrogate pair") from None
    return Task(
        task_id=_text(given, "task_id", entry_point),
        set=set,
        role=role,
        family=_text(given, "family", ""),
        prompt=_text(given, "prompt"),
        entry_point=entry_point,
        calls=tuple(calls),
        expected=tuple(expected),
        reference=_text(given, "reference", "") or None,
        written_at=_moment(given, now),
        source=_text(given, "source", file),
    )


def _text(given: dict[str, Any], name: str, default: str | None = None) -> str:
    value = given.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value.strip():
        raise _Odd(f"{name} must be a text that is not blank")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Odd(f"{name} holds half of a surrogate pair") from None
    return value


def _moment(given: dict[str, Any], now: datetime) -> datetime:
    if given.get("written_at") is None:
        return now
    try:
        moment = datetime.fromisoformat(given["written_at"])
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise _Odd("written_at must be a time such as 2026-12-01T00:00:00Z") from None


def _refuse_odd_call(call: object, entry_point: str) -> None:
    """A call gets literals and nothing else: what is expected must hang on the function alone."""
    example = f"{entry_point}(1, 'a')"
    if not isinstance(call, str):
        raise _Odd(f"calls must be texts such as {example}")
    try:
        tree = ast.parse(call.strip(), mode="eval").body
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == entry_point:
            values = [*tree.args, *(word.value for word in tree.keywords)]
            if all(word.arg is not None for word in tree.keywords):
                for value in values:
                    ast.literal_eval(value)
                return
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        pass
    shown = call if len(call) <= 60 else f"{call[:60]}..."
    raise _Odd(f"{shown!r} must call {entry_point} with literals, as in {example}")


def _depth(value: Any, deepest: int = _DEEPEST + 2) -> int:
    if deepest == 0 or not isinstance(value, list | dict):
        return 0
    inner = value if isinstance(value, list) else list(value.values())
    return 1 + max((_depth(item, deepest - 1) for item in inner), default=0)
