"""What the tests with kill -9 share: a scene before a run, that run killed, and what must hold then."""

import hashlib
import json
import signal
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.errors import WarehouseError
from tests.conftest import RECORDED_AT, Workspace
from tests.support.forked import WATCHED, Distill, Done, Stop, borrowed, passed, run_in

RUN_ALL = ("run-all", "--recorded-at", RECORDED_AT.isoformat())
READ = (
    "raw.lines",
    "evidence.records",
    "evidence.skips",
    "scored.runs",
    "scored.model_ledger",
    "exports.rag",
    "exports.sft",
    "exports.preference",
    "exports.playbooks",
    "exports.quarantine",
)


@dataclass
class Scene:
    """A folder as it is before the run that is killed, and what that run makes of it when nobody kills it."""

    before: Path
    after: Workspace
    lines: bytes
    noted: list[str]

    @cached_property
    def steps(self) -> list[str]:
        return [step for step in self.noted if not step.startswith(WATCHED)]

    def step(self, text: str) -> int:
        """Returns the number of the one step with this text."""
        (number,) = [number for number, step in enumerate(self.steps, 1) if text in step]
        return number

    @cached_property
    def expected(self) -> "Expected":
        before = Workspace(self.before)
        return Expected(contents(before), contents(self.after), published_files(before), published_files(self.after))

    def is_published(self, stop: Stop) -> bool:
        """True where a run that stops there has published what it made."""
        return (stop.number, stop.after) > (self.step("/ops/snapshots/ "), False)

    def copy(self, root: Path) -> Workspace:
        return Workspace(self.before).copy(root)


def run(distill: Distill, workspace: Workspace, stop: Stop | None = None) -> Done:
    return run_in(distill, workspace, *RUN_ALL, stop=stop)


def first_rows() -> list[dict[str, Any] | bytes]:
    rows: list[dict[str, Any] | bytes] = [review(n) for n in range(8)]
    return [*rows, b"{broken", review(1), {"no": "time"}]


def more_rows() -> list[dict[str, Any] | bytes]:
    return [*(review(n) for n in range(5, 14)), b"[1, 2]", b""]


def review(number: int) -> dict[str, Any]:
    return {
        "created_at": f"2026-04-0{number % 9 + 1}T00:00:00Z",
        "file": f"src/{number // 3}.py",
        "prompt": f"Review src/{number // 3}.py",
        "review": f"Finding {number}",
        "model": f"m-{number % 2}",
        **({"accepted": False} if number % 3 == 0 else {"accepted_on_attempt": number % 3}),
    }


def make_scene(root: Path, published: bool) -> Scene:
    """Returns a scene: first rows, published or not, more rows, and what a run makes of them."""
    before = Workspace(root / "before")
    with borrowed() as distill:
        before.write("scrum_reviews.jsonl", first_rows())
        if published:
            passed(run(distill, before))
        lines = (before.data / "scrum_reviews.jsonl").read_bytes()
        before.write("scrum_reviews.jsonl", more_rows())
        before.write("observer_reviews.jsonl", [{"ts": 1777777777, "file": "src/1.py", "notes": "n", "verdict": "accept"}])
        after = before.copy(root / "after")
        done = passed(run(distill, after, Stop(do="watch")))
    return Scene(before.root, after, lines, done.steps)


def contents(workspace: Workspace) -> dict[str, str] | None:
    """Returns what a reader gets now: per table a hash over its rows, but for who landed them, and the hash that the snapshot
    holds of it; None where nothing is published.
    """
    parts = [f"select '{name}' as name, cast(to_json(t) as varchar) as row from {name} as t" for name in READ]
    parts.append(
        "select 'recorded', cast(to_json(tables) as varchar) from ops.snapshots qualify snapshot = max(snapshot) over ()"
    )
    try:
        rows = workspace.warehouse.sql(" union all ".join(parts)).to_pylist()
    except WarehouseError:
        return None
    (recorded,) = [json.loads(row["row"]) for row in rows if row["name"] == "recorded"]
    held = {f"recorded {table['name']}": table["sha256"] for table in recorded if table["name"] in READ}
    for name in READ:
        lines = sorted(_without_loader(row["row"]) for row in rows if row["name"] == name)
        held[name] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return held


def _without_loader(row: str) -> str:
    return json.dumps(json.loads(row) | {"load_id": None}, sort_keys=True)


def published_files(workspace: Workspace) -> dict[str, bytes]:
    """Returns what a reader of the exports takes for files: whatever is not hidden."""
    found = workspace.files().items()
    return {name: content for name, content in found if not any(part.startswith(".") for part in name.split("/"))}


@dataclass(frozen=True)
class Expected:
    old: dict[str, str] | None
    new: dict[str, str] | None
    old_files: dict[str, bytes]
    new_files: dict[str, bytes]


def recovers(distill: Distill, workspace: Workspace, expected: Expected) -> None:
    """The next run passes and leaves what a run that nobody killed leaves, and no litter among the exports."""
    passed(run(distill, workspace))
    assert contents(workspace) == expected.new
    assert workspace.files() == expected.new_files


def holds(workspace: Workspace, expected: Expected, is_published: bool) -> None:
    """Readers see the last published snapshot, whole; every file is of before or of after, and of before until then."""
    assert contents(workspace) == (expected.new if is_published else expected.old)
    files = published_files(workspace)
    assert is_published or files == expected.old_files
    for name, content in files.items():
        assert content in (expected.new_files.get(name), expected.old_files.get(name)), name


def killed(distill: Distill, scene: Scene, root: Path, stop: Stop) -> Workspace:
    """Returns a copy of the scene in which a run was killed."""
    workspace = scene.copy(root / f"{stop.number}{'+' if stop.after else ''}")
    done = run(distill, workspace, stop)
    assert done.code == -signal.SIGKILL, done.text
    assert len(done.steps) == stop.number
    return workspace
