"""A warehouse that faults are injected into: two published runs and a line that is not landed; and what must hold then."""

import os
import random
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.conftest import RECORDED_AT, Workspace
from tests.oracle import expected
from tests.support.forked import WATCHED, Distill, Done, Stop, borrowed, passed, run_in
from tests.support.killing import RUN_ALL, contents, first_rows, more_rows, published_files, review, run

# FAULT_SEED=... draws other moments, places and bits; as many of them.
SEED = int(os.environ.get("FAULT_SEED", "20260401"))
RESTORE = ("restore", "--to", "1 run ago")
VACUUM = ("vacuum", "--keep-runs", "1", "--keep-days", "0")
LAND = ("land", "--recorded-at", RECORDED_AT.isoformat())
CLOCKS = ("provenance", "rejected_provenance")
FILES = {
    "rag": "rag/playbooks.jsonl",
    "sft": "sft/instruction_response.jsonl",
    "preference": "preference/chosen_rejected.jsonl",
}


def drawn(*case: object) -> random.Random:
    """Returns the source of chance of one case; the seed and the case are all that it hangs on."""
    return random.Random(f"{SEED} {case}")


@dataclass(frozen=True)
class What:
    """What readers see: tables and files."""

    tables: dict[str, str] | None
    files: dict[str, bytes]


@dataclass(frozen=True)
class Scene:
    """Two published runs, and a line that is not landed: `newest` is published, `oldest` restored, `all` what is to come."""

    root: Path
    run_id: str
    oldest: What
    newest: What
    all: What
    steps: list[str]

    def copy(self, root: Path) -> Workspace:
        return Workspace(self.root).copy(root)

    def first(self, text: str) -> int:
        """Returns the number of the first step of a restore that has this text."""
        return next(number for number, step in enumerate(self.steps, 1) if text in step)

    def restore(self, distill: Distill, workspace: Workspace, stop: Stop | None = None) -> Done:
        return run_in(distill, workspace, "restore", "--to", self.run_id, stop=stop)

    def is_gated(self, workspace: Workspace) -> bool:
        """True where each published file is one that passed the gates, to the byte."""
        states = (self.oldest, self.newest, self.all)
        found = published_files(workspace).items()
        return all(content in [state.files.get(name) for state in states] for name, content in found)


def what(workspace: Workspace) -> What:
    return What(contents(workspace), published_files(workspace))


def make_scene(root: Path) -> Scene:
    """Returns the scene. All three states were held against the oracle, which shares nothing with the product."""
    workspace = Workspace(root / "before")
    with borrowed() as distill:
        workspace.write("scrum_reviews.jsonl", first_rows())
        passed(run(distill, workspace))
        oldest, run_id = _judged(workspace), workspace.warehouse.snapshot().run_id
        workspace.write("scrum_reviews.jsonl", more_rows())
        passed(run(distill, workspace))
        newest = _judged(workspace)
        workspace.write("scrum_reviews.jsonl", [review(40)])
        passed(run(distill, workspace.copy(root / "all")))
        restored = workspace.copy(root / "restored")
        noted = passed(run_in(distill, restored, *RESTORE, stop=Stop(do="watch"))).steps
    assert what(restored) == oldest != newest
    steps = [step for step in noted if not step.startswith(WATCHED)]
    return Scene(workspace.root, run_id, oldest, newest, _judged(Workspace(root / "all")), steps)


def _judged(workspace: Workspace) -> What:
    oracle = expected(workspace.data)
    for name, file in FILES.items():
        rows = [_without_clock(row) for row in workspace.exported(file)]
        assert rows and rows == [{column: row[column] for column in rows[0]} for row in getattr(oracle, name)], name
    landed = [(row["source_file"], row["line_offset"], row["sig_hash"]) for row in workspace.rows("raw.lines")]
    assert sorted(landed) == sorted((row["source_file"], row["line_offset"], row["sig_hash"]) for row in oracle.lines)
    return what(workspace)


def _without_clock(row: dict[str, Any]) -> dict[str, Any]:
    for name in CLOCKS:
        if name in row:
            row[name] = {key: value for key, value in row[name].items() if key != "recorded_at"}
    return row


def recovers(scene: Scene, distill: Distill, workspace: Workspace) -> None:
    """The next run passes; every line is there once, every file is that of a clean run, and there is no litter."""
    passed(run(distill, workspace))
    assert what(workspace) == scene.all
    assert not (workspace.settings.exports / ".drafts").exists()


def clear(done: Done, *where: str, code: int = 3) -> Done:
    """Holds that a command was refused in a few lines that say where, and what to do next."""
    assert done.code == code, done.text
    assert "Traceback" not in done.err and "LINE 1:" not in done.err, done.text
    lines = done.err.strip().splitlines()
    # Commands repeat the folders that they are given; those of tests have long names, those of people don't.
    shortened = [re.sub(r"/[^ `']*/", "", line) for line in lines]
    assert 0 < len(lines) <= 3 and all(len(line) < 1200 for line in shortened), done.text
    for text in (*where, *(["next: "] if code == 3 else [])):
        assert text in done.err, f"it is not said: {text}\n{done.text}"
    return done


def mended(scene: Scene, distill: Distill, workspace: Workspace, done: Done) -> None:
    """Types the commands that a message names, as it says: in their order, and the last one where another is refused."""
    *first, last = (shlex.split(command)[1:] for command in re.findall(r"`(distill [^`]+)`", done.err))
    for command in first:
        answer = _typed(distill, workspace, command)
        if answer.code != 0:
            clear(answer, code=answer.code)
            passed(_typed(distill, workspace, last))
            warehouse, exports = (Path(last[last.index(name) + 1]) for name in ("--warehouse", "--exports"))
            workspace.settings = replace(workspace.settings, warehouse=warehouse, exports=exports)
            break
    assert what(workspace) == scene.all, done.text


def _typed(distill: Distill, workspace: Workspace, command: list[str]) -> Done:
    pinned = RUN_ALL[1:] if command[0] == "run-all" else ()
    return run_in(distill, workspace, *command, *pinned)
