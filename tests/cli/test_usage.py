"""Every option of every command, read from click itself: a value that makes no sense is one line and exit code 2."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.cli.options import Memory, Moment

NO_NUMBERS = ("", "x", "nan", "inf", "-inf", "1e999", "-1", "1,5", "0x10", "9" * 400, "\x1b[31m")


def wrong(option: click.Parameter, file: Path) -> tuple[str, ...]:
    """Returns values that an option of this type can't have."""
    kind = option.type
    if isinstance(kind, click.types.IntRange | click.types.FloatRange):
        return NO_NUMBERS
    if isinstance(kind, click.Choice):
        return ("", "x", "\x1b[31m\u202e")
    if isinstance(kind, Moment):
        return ("", "yesterday", "nan", "2026-13-01", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "1e999")
    if isinstance(kind, Memory):
        return ("", "much", "1", "0GB", "-5", "-5GB", "nan", "1e999GB", "1 YB", "1KB", "9" * 15 + "TB", "\u0661GB", "2GB\n")
    if isinstance(kind, click.Path):
        return (str(file),) if not kind.file_okay else (str(file.parent),) if not kind.dir_okay else ()
    return ()


def cases() -> Iterator[tuple[str, str]]:
    for name, command in main.commands.items():
        for option in command.params:
            named = max(option.opts, key=len)
            if isinstance(option, click.Option) and not option.is_flag:
                yield name, named


def told(arguments: list[str]) -> tuple[int, str]:
    done = CliRunner().invoke(main, arguments, prog_name="distill")
    assert done.stdout == "" and (done.exception is None or isinstance(done.exception, SystemExit)), done.output
    return done.exit_code, done.stderr


@pytest.mark.parametrize(("command", "name"), list(cases()), ids=str)
def test_a_value_that_makes_no_sense(command: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder/file"
    file.touch()
    option = next(held for held in main.commands[command].params if name in held.opts)
    for value in wrong(option, file):
        code, line = told([command, f"{name}={value}"])
        assert code == 2 and line.count("\n") == 1 and line.startswith("distill: ") and name in line, (value, line)
        assert f"`distill {command} --help`" in line and line.rstrip("\n").isprintable()
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("command", list(main.commands))
def test_what_is_no_option_or_is_too_much(command: str) -> None:
    too_much = [command, *["x"] * 9]
    for arguments in ([command, "--no-such-option"], [command, "--json=1"], too_much):
        code, line = told(arguments)
        assert code == 2 and line.count("\n") == 1 and line.startswith("distill: ") and "--help`" in line, line


def test_no_command() -> None:
    for arguments in ([], ["no-such-command"], ["--no-such-option"], [""]):
        code, line = told(arguments)
        assert code == 2 and line.count("\n") == 1 and line.startswith("distill: ") and "`distill --help`" in line


@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ('"$@" no-such-command 2>&-', 2),
        ('"$@" no-such-command 2>/dev/full', 2),
        ('"$@" --help >&-', 0),
        ('"$@" --help >/dev/full', 3),
        ('"$@" health >&- 2>&- <&-', 3),
        ('"$@" health 2>/dev/full', 3),
        ('mkdir gone && cd gone && rmdir ../gone && "$@" health', 3),
        ('mkdir gone && cd gone && rmdir ../gone && "$@" run-all', 3),
        ('unset HOME; "$@" health', 3),
        ('LC_ALL=C PYTHONIOENCODING=ascii "$@" health --warehouse é', 3),
    ],
)
def test_odd_surroundings(tmp_path: Path, shell: str, code: int) -> None:
    """Streams that are closed or full, and a folder or an environment that is not what it should be."""
    command = ["bash", "-c", shell, "bash", str(Path(sys.executable).with_name("distill"))]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DISTILL_")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == code, done
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr and done.stderr.count(b"\n") <= 1, done
