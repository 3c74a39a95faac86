"""The pages are true: commands print what they show, queries return rows, generated pages are fresh, links lead somewhere.

`DISTILL_RECORD=1 pytest tests/test_docs.py` writes what the commands print now into the pages.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.models import tables
from pipeline.reader import Warehouse
from pipeline.runner import run_stages
from pipeline.settings import Gates, Settings
from tests.conftest import Silent, Workspace
from tests.faults import record
from tools import docs

ROOT = Path(__file__).parent.parent
RECORD = bool(os.environ.get("DISTILL_RECORD"))
PAGES = sorted([*ROOT.glob("*.md"), ROOT / "sql/README.md", *ROOT.glob("docs/**/*.md")])
GUIDE = ROOT / "docs/analyst-guide.md"
EXECUTED = ("README.md", "docs/tutorial.md", "docs/operator-handoff.md", "docs/recovery-runbook.md")
HELD_BACK = {"audits.jsonl": 25, "scrum_reviews.jsonl": 25}

# What differs from run to run: run ids, times, hashes, durations, and the white space around them.
MASKS = (
    (r"\d{8}T\d{6}-[0-9a-f]{6}", "<run>"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "<time>"),
    (r"\b[0-9a-f]{12,64}\b", "<hash>"),
    (r"\d+\.\d\d s\b|\d+ ms\b|\d+\.\d hours", "<duration>"),
    (r"[ \t]+", " "),
)


# A block to be pasted, and what the page says it prints.
PASTED = re.compile(r"^```sh\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """Returns the fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def masked(text: str) -> list[str]:
    for pattern, mark in MASKS:
        text = re.sub(pattern, mark, text)
    return [line.strip() for line in text.strip().splitlines()]


@pytest.fixture
def clone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a clone as `make setup` left it, with the sample, and with `make` and `distill` on the path."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    shutil.copy(ROOT / ".gitignore", tmp_path)
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")
    for arguments in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "clone")):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    tools = tmp_path / ".venv/bin"
    tools.mkdir(parents=True)
    run = f'exec "{sys.executable}" -m tests.support.remembering'
    made = f'[ "$1" = setup ] || {run} run-all --known-paths data/known_paths.txt'
    for name, line in {"distill": f'{run} "$@"', "make": made, "activate": ""}.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    for name in [name for name in os.environ if name.startswith("DISTILL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("copies")))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pasted(texts: Sequence[str]) -> list[str]:
    """Returns what each of these texts prints, pasted into one shell after the other; every command must end well."""
    mark = "==== the next block"
    script = "".join(f"echo {shlex.quote(mark)}\n{text}" for text in texts)
    shell = ["bash", "-euo", "pipefail", "-c", script]
    ran = subprocess.run(shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:]
    return ["\n".join(line.rstrip() for line in part.strip("\n").splitlines()) for part in ran.stdout.split(f"{mark}\n")[1:]]


@pytest.mark.parametrize("page", EXECUTED)
@pytest.mark.usefixtures("clone")
def test_commands_print_what_the_page_shows(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "```console" not in text
    found = [(block[1], block[2] or "") for block in PASTED.finditer(text)]
    printed = pasted([command for command, _ in found])
    if RECORD:
        _record(ROOT / page, printed)
    for (command, was), now in zip(found, printed, strict=True):
        assert RECORD or masked(now) == masked(was), command


def _record(page: Path, printed: Sequence[str]) -> None:
    outputs = iter(printed)

    def block(found: "re.Match[str]") -> str:
        output = next(outputs)
        return f"```sh\n{found[1]}```" + (f"\n\n```text\n{output}\n```" if output else "")

    page.write_text(PASTED.sub(block, page.read_text(encoding="utf-8")), encoding="utf-8")


def test_the_tutorial_leaves_the_clone_as_it_was(clone: Path) -> None:
    """It goes on in a copy before it writes anything."""
    first = PASTED.search((ROOT / "docs/tutorial.md").read_text(encoding="utf-8"))
    assert first is not None
    before = {path: path.read_bytes() for path in clone.rglob("*") if path.is_file() and ".git" not in path.parts}
    (where,) = pasted([f"{first[1]}pwd\n"])
    assert Path(where).resolve() != clone.resolve() and (Path(where) / "data/_kb/audits.jsonl").is_file()
    assert before == {path: path.read_bytes() for path in clone.rglob("*") if path.is_file() and ".git" not in path.parts}


def test_the_readme_speaks_of_the_run_that_it_shows() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## What you see")[1].split("\n## ")[0]
    said = set(re.findall(r"[\d,]*\d", re.sub(r"^```.*?^```", "", section, flags=re.DOTALL | re.MULTILINE)))
    shown = {number for block in blocks(ROOT / "README.md", "text") for number in re.findall(r"[\d,]*\d", block)}
    assert said <= shown


def test_the_readme_counts_the_faults_of_the_report() -> None:
    """Which the suite of faults writes, and holds against what it injects."""
    page = record.PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \|", page, re.MULTILINE)
    injected = {kind: int(amount.replace(",", "")) for kind, amount in rows}
    assert page == record.page(injected) and injected.keys() == record.KINDS.keys()
    assert record.total((ROOT / "README.md").read_text(encoding="utf-8")) == sum(injected.values())


def test_the_example_of_a_test_is_one(workspace: Workspace) -> None:
    (code,) = blocks(ROOT / "CONTRIBUTING.md", "python")
    names: dict[str, Any] = {}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    names["test_a_reverted_patch_is_rejected"](workspace)


def test_make_run_all_is_what_the_readme_runs() -> None:
    recipe = re.search(r"^run-all:.*\n\t(.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe is not None and recipe[1] == "$(DISTILL) run-all --known-paths data/known_paths.txt"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the warehouse of two runs over the sample: one without its last lines, one with them."""
    root = tmp_path_factory.mktemp("sample")
    shutil.copytree(ROOT / "data", root / "data")
    settings = Settings(
        data=root / "data/_kb",
        warehouse=root / "warehouse",
        exports=root / "exports",
        reports=root / "reports",
        gates=Gates(known_paths=root / "data/known_paths.txt"),
    )
    for name, amount in HELD_BACK.items():
        path = settings.data / name
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-amount]))
    assert run_stages(settings, Silent()).failure is None
    shutil.copytree(ROOT / "data", root / "data", dirs_exist_ok=True)
    assert run_stages(settings, Silent()).failure is None
    return root


@pytest.mark.parametrize("query", blocks(GUIDE, "sql"), ids=[f"q{number}" for number in range(1, 12)])
def test_queries_of_the_guide_return_rows(query: str, sample: Path) -> None:
    assert Warehouse(sample / "warehouse").sql(query).num_rows > 0


def test_the_guide_asks_eleven_questions() -> None:
    section = GUIDE.read_text(encoding="utf-8").split("\n## Eleven questions")[1]
    questions = re.split(r"^### ", section, flags=re.MULTILINE)[1:]
    assert [question.split(".")[0] for question in questions] == [str(number) for number in range(1, 12)]
    assert all("```sql\n" in question for question in questions)


def test_the_guide_shows_every_table() -> None:
    glance = GUIDE.read_text(encoding="utf-8").split("## The tables at a glance")[1].split("\n## ")[0]
    shown = set(re.findall(r"`([\w.]+)`", glance))
    assert {name for name in tables.load([ROOT / "sql"]) if not {name, f".{name.split('.')[1]}"} & shown} == set()


@pytest.mark.parametrize("code", blocks(GUIDE, "python"))
def test_python_of_the_guide_runs(code: str, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sample)
    exec(compile(code, str(GUIDE), "exec"), {})


def test_generated_pages_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    stale = [str(path) for path, text in docs.pages().items() if path.read_text(encoding="utf-8") != text]
    assert not stale, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not missing


def test_changelog_begins_with_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None and newest[1] == project["version"]


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/decisions/*.md")), ids=lambda page: page.stem)
def test_decisions_are_short_and_say_why(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Choice", "Consequences"]
    assert len(text.splitlines()) < 40
