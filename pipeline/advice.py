"""The commands that messages name: complete, so that they can be pasted where the user stands."""

import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from pathlib import Path

FOLDERS = {"data": "data/_kb", "warehouse": "warehouse", "exports": "exports", "reports": "reports", "sql": None}
# Where a warehouse keeps the lists that its states were made with, each under the hash of its content.
LISTS = "lists"
STDIN = "/dev/stdin"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_READING = ("warehouse", "sql")
_TAKES = {
    **dict.fromkeys(("sql", "tables", "receipts", "history", "diff", "search"), _READING),
    **dict.fromkeys(("restore", "vacuum"), ("warehouse", "exports", "reports", "sql")),
}
_RUNS = ("run-all", "land", "build-evidence", "score", "extract-playbooks", "index")


@dataclass
class Call:
    """What a command has to repeat to mean the same as this call.

    line:       the command as it was given, after `distill`; of one in a group, both names are the first word
    variables:  the options that it would have had in place of variables, by name
    folders:    those that this call works on, given or by default
    given:      the names of those that have to be repeated
    switches:   options of gates that this call was given
    remembered: what the newest published state was made with: the options of all its gates
    made_in:    the folders of the run that made it; they count where this call was not given any
    """

    line: Sequence[str] = ()
    folders: Mapping[str, str] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    switches: Sequence[str] = ()
    remembered: Sequence[str] | None = None
    made_in: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def folder(self, name: str) -> str | None:
        """Returns a folder that a command has to name; None where it finds it without."""
        if name in self.given:
            return self.folders[name]
        if name in self.folders or name not in self.made_in or not Path(self.made_in[name]).exists():
            return None
        return self.made_in[name]


_NOBODY = Call()
_CALL: ContextVar[Call] = ContextVar("call", default=_NOBODY)


def start(call: Call) -> Token[Call]:
    """Makes messages name the commands of a call, until its end."""
    return _CALL.set(call)


def end(started: Token[Call]) -> None:
    """Forgets a call."""
    _CALL.reset(started)


def note(
    folders: Mapping[str, str], given: frozenset[str], switches: Sequence[str], variables: Mapping[str, Sequence[str]]
) -> None:
    """Notes what a call was given."""
    call = _CALL.get()
    call.folders, call.given, call.switches, call.variables = folders, given, switches, variables


@contextmanager
def during(call: Call) -> Iterator[None]:
    """Makes messages name the commands of a call."""
    token = _CALL.set(call)
    try:
        yield
    finally:
        _CALL.reset(token)


@contextmanager
def at(**folders: Path | None) -> Iterator[None]:
    """Makes messages name commands with these folders, where no command line has said so already: from Python."""
    if _CALL.get() is not _NOBODY:
        yield
        return
    known = {name: str(path) for name, path in folders.items() if path is not None}
    with during(Call(folders=known, given=frozenset(name for name in known if known[name] != FOLDERS[name]))):
        yield


def remember(options: Sequence[str], made_in: Mapping[str, str]) -> None:
    """Notes what the newest published state was made with."""
    call = _CALL.get()
    if call is not _NOBODY:
        call.remembered, call.made_in = options, made_in


def replace_word(was: str, now: str) -> None:
    """Makes commands name another file than this call was given: what came through a pipe can't be read again."""
    call = _CALL.get()
    call.line = [
        now if word == was else word.removesuffix(was) + now if word.endswith(f"={was}") else word for word in call.line
    ]
    call.switches = [now if word == was else word for word in call.switches]
    call.variables = {name: [now if word == was else word for word in words] for name, words in call.variables.items()}


def command(name: str, *arguments: str) -> str:
    """Returns a command with the folders of this call and, where it decides what may leave, its switches.

    name: of a command in a group, both: `tasks add`

    >>> command("restore", "--to", "1 run ago")
    "distill restore --to '1 run ago'"
    """
    call = _CALL.get()
    words = ["distill", *name.split(), *arguments]
    for folder in _TAKES.get(name, tuple(FOLDERS)):
        if (path := call.folder(folder)) is not None:
            words += [f"--{folder}", path]
    if name in _RUNS or name.startswith("export-"):
        words += call.switches
    return _typed(words)


def again(*options: str, instead_of: Collection[str] = ()) -> str:
    """Returns the same command once more, with more options; from Python, `run-all`.

    instead_of: names of options that these replace
    """
    call = _CALL.get()
    if not call.line:
        return command("run-all", *options)
    name, *words = call.line
    variables = [word for given, held in call.variables.items() if given not in instead_of for word in held]
    # Options come first: what stands after `--` is none.
    return _typed(["distill", *name.split(), *options, *variables, *words])


def elsewhere() -> str:
    """Returns the command that makes the same in a new warehouse, which knows nothing of the gates of this one."""
    call = _CALL.get()
    words = ["distill", "run-all"]
    for name in FOLDERS:
        path = call.folder(name)
        if name in ("warehouse", "exports"):
            words += [f"--{name}", free(path or call.folders.get(name) or str(FOLDERS[name]))]
        elif path is not None:
            words += [f"--{name}", path]
    gates = call.remembered if call.remembered is not None else _guessed(call)
    return ("git ls-files | " if STDIN in gates else "") + _typed([*words, *gates])


def run_into(exports: str) -> str:
    """Returns the command of a run that writes its corpora to another folder."""
    return _run_with("exports", exports)


def run_on(data: Path) -> str:
    """Returns the command of a run that reads another data directory."""
    return _run_with("data", str(data))


def _run_with(name: str, path: str) -> str:
    call = _CALL.get()
    folders = {folder: path if folder == name else call.folder(folder) for folder in FOLDERS}
    given = [word for folder, place in folders.items() if place is not None for word in (f"--{folder}", place)]
    return _typed(["distill", "run-all", *given, *call.switches])


def free(path: str | Path) -> str:
    """Returns a name beside a folder that nothing has yet."""
    path = str(path)
    number = 2
    while Path(f"{path.rstrip('/')}-{number}").exists():
        number += 1
    return f"{path.rstrip('/')}-{number}"


def _guessed(call: Call) -> Sequence[str]:
    """Where nobody can say any more what the state was made with, its newest list is better than none."""
    if call.switches:
        return call.switches
    kept = Path(call.folders.get("warehouse") or str(FOLDERS["warehouse"])) / LISTS / "known_paths"
    lists = sorted(kept.glob("*"), key=lambda path: path.stat().st_mtime_ns)
    return ("--known-paths", str(lists[-1])) if lists else ()


def _typed(words: Sequence[str]) -> str:
    """Returns words as they are typed in a shell; what a terminal would obey is written in a way that it shows."""
    return " ".join(
        "$'" + "".join(_escaped(sign) for sign in word) + "'" if _CONTROL.search(word) else shlex.quote(word) for word in words
    )


def _escaped(sign: str) -> str:
    if sign in "\\'":
        return f"\\{sign}"
    return f"\\u{ord(sign):04x}" if _CONTROL.match(sign) else sign


def try_again() -> str:
    """Returns what to do once something around the warehouse is put right."""
    same = f": `{again()}`" if _CALL.get().line else ""
    return f"next: mend that, and give the same command again{same}"


def way_out() -> str:
    """Returns what to do about a damaged warehouse."""
    return (
        f"next: `{command('restore', '--to', '1 run ago')}` and `{command('run-all')}`; where that is refused, "
        f"`{elsewhere()}` makes the same from the source files"
    )
