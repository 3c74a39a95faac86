"""Commands in messages: complete, so that they mean the same when they are pasted."""

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import advice
from pipeline.advice import Call


def test_a_command_has_the_folders_and_switches_of_its_call() -> None:
    folders = {"data": "d", "warehouse": "my wh", "exports": "exports", "sql": "models"}
    given = frozenset({"data", "warehouse", "sql"})
    with advice.during(Call(["run-all"], folders, given, ["--max-pairs", "3"])):
        assert advice.command("run-all") == "distill run-all --data d --warehouse 'my wh' --sql models --max-pairs 3"
        assert (
            advice.command("restore", "--to", "1 run ago")
            == "distill restore --to '1 run ago' --warehouse 'my wh' --sql models"
        )
        assert advice.command("receipts") == "distill receipts --warehouse 'my wh' --sql models"
    assert advice.command("run-all") == "distill run-all"


def test_a_call_without_a_folder_names_the_one_of_the_state(tmp_path: Path) -> None:
    """But not where it works on one by default, nor one that is not there any more."""
    with advice.during(Call(["health"], {"warehouse": "warehouse", "exports": "exports"})):
        advice.remember([], {"data": str(tmp_path), "exports": str(tmp_path), "reports": str(tmp_path / "gone")})
        assert advice.command("run-all") == f"distill run-all --data {tmp_path}"


def test_from_python_the_folders_of_the_settings_count() -> None:
    with advice.at(warehouse=Path("wh"), exports=Path("exports"), sql=None):
        assert advice.command("run-all") == "distill run-all --warehouse wh"
        assert advice.again("--no-known-paths") == "distill run-all --no-known-paths --warehouse wh"
        with advice.at(warehouse=Path("other")):
            assert advice.command("run-all") == "distill run-all --warehouse wh"


def test_the_same_command_again() -> None:
    with advice.during(Call(["sql", "--", "-1"])):
        assert advice.again("--no-sql") == "distill sql --no-sql -- -1"
    with advice.during(Call(["run-all", "--known-paths", "/dev/fd/63"], {}, frozenset(), ["--known-paths", "/dev/fd/63"])):
        advice.replace_word("/dev/fd/63", "kept")
        assert advice.again() == advice.command("run-all") == "distill run-all --known-paths kept"
    with advice.during(Call(["run-all", "--known-paths=/dev/fd/63"])):
        advice.replace_word("/dev/fd/63", "kept")
        assert advice.again() == "distill run-all --known-paths=kept"


def test_a_new_warehouse_gets_files_of_its_own_and_the_same_gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wh-2").mkdir()
    with advice.during(Call(["sql"], {"warehouse": "wh/"}, frozenset({"warehouse"}))):
        assert advice.elsewhere() == "distill run-all --warehouse wh-3 --exports exports-2"
        (tmp_path / "wh/lists/known_paths").mkdir(parents=True)
        (tmp_path / "wh/lists/known_paths/abc").touch()
        assert advice.elsewhere().endswith(" --known-paths wh/lists/known_paths/abc")
        advice.remember(["--known-paths", "kept", "--max-pairs", "3"], {})
        assert advice.elsewhere() == "distill run-all --warehouse wh-3 --exports exports-2 --known-paths kept --max-pairs 3"
        advice.remember(["--known-paths", advice.STDIN], {})
        assert advice.elsewhere().startswith("git ls-files | distill run-all ")
        assert advice.elsewhere() in advice.way_out()


@given(st.lists(st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=5), max_size=3))
def test_words_come_through_a_shell_as_they_were(words: list[str]) -> None:
    line = advice.command("run-all", *words)
    assert not any(sign < " " or "\x7f" <= sign <= "\x9f" for sign in line)
    if "$'" not in line:
        assert shlex.split(line)[2:] == words


def test_what_a_terminal_would_obey_is_pasted_as_it_was() -> None:
    word = "a\x1b[31m'b\\c\n\x85"
    typed = advice.command("run-all", word).removeprefix("distill run-all ")
    assert typed.isprintable()
    printed = subprocess.run(["bash", "-c", f"printf %s {typed}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    assert printed.stdout.decode() == word
