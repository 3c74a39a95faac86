"""What a terminal would obey is shown, by every command: on standard output, on standard error, in tables and documents."""

import json
import re
import unicodedata
from pathlib import Path

import pytest

from pipeline.visible import on_one_line, shown, shown_json
from tests.conftest import Workspace
from tests.support.forked import borrowed, each, run_in
from tests.support.killing import review

OBEYED = "\x1b[31m\x9b2J\r\x07\x08\u202e\u2066\u200b\u2028\ufeff\x7f"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
# Signs that are seen, though Unicode counts them among those that only format.
SEEN = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)}


def test_every_character_that_is_obeyed_or_hides_is_shown() -> None:
    for code in range(0x110000):
        character = chr(code)
        kind = unicodedata.category(character)
        hides = kind in ("Cc", "Zl", "Zp", "Cs") or (kind == "Cf" and code not in SEEN)
        is_shown = shown(character) != character
        assert is_shown or not hides or character == "\n", hex(code)
        assert not is_shown or hides or kind == "Cn", hex(code)
    assert shown("a\x1bb\x9bc\u202ed\U000e0041\r\n\t") == "a\\x1bb\\u009bc\\u202ed\\udb40\\udc41\\r\n\\t"
    assert on_one_line("a\nb\x07") == "a\\nb\\x07" and shown(shown(OBEYED)) == shown(OBEYED)


@pytest.mark.parametrize("text", [OBEYED, "é\u00ad\U000e0041 日本 😀", "plain"])
def test_documents_stay_what_they_are(text: str) -> None:
    document = json.dumps([text], ensure_ascii=False)
    assert json.loads(shown(document)) == json.loads(shown_json(document.encode())) == [text]
    assert not RAW.search(shown_json(document.encode()).decode())


def hostile(root: Path) -> Workspace:
    """A warehouse whose every name and text holds what a terminal obeys, in a folder with such a name."""
    workspace = Workspace(root / "here")
    row = review(1) | {name: f"{name} {OBEYED}\nnext: nothing" for name in ("run_id", "task_id", "file", "review", "prompt")}
    row |= {"model": f"model{OBEYED}", "provider": f"provider{OBEYED}"}
    rejected = row | {"run_id": "r2", "review": f"bad {OBEYED}", "accepted": False, "accepted_on_attempt": None}
    workspace.write(f"scrum_reviews/{OBEYED}\n.jsonl", [row, rejected, b"{broken \x1b", json.dumps(rejected) + " "])
    workspace.write(f"unknown{OBEYED}\nnext: nothing.jsonl", [{"a": OBEYED}])
    workspace.passed()
    workspace.write(f"scrum_reviews/{OBEYED}\n.jsonl", [row | {"review": f"another {OBEYED}"}])
    workspace.passed()
    return workspace


COMMANDS = (
    ("health",),
    ("health", "--evidence"),
    ("health", "--json"),
    ("receipts",),
    ("receipts", "--json"),
    ("tables", "--columns"),
    ("history",),
    ("diff", "evidence.records", "1 run ago"),
    ("search", f"another {OBEYED}"),
    ("search", "another", "--json"),
    ("models",),
    ("sql", "select * from evidence.records"),
    ("sql", "select * from evidence.records", "--format", "json"),
    ("sql", "select * from evidence.records", "--format", "jsonl"),
    ("sql", f"select {OBEYED}"),
    ("sql", f'select 1 as "{OBEYED}"'),
    ("trace", f"run_id {OBEYED}\nnext: nothing"),
    ("trace", f"nothing {OBEYED}"),
    ("trace", "--line", f"scrum_reviews/{OBEYED}\n.jsonl:1"),
    ("trace", "--line", f"{OBEYED}.jsonl:1"),
    ("run-all", "--strict"),
    ("run-all", "--known-paths", f"none{OBEYED}"),
    ("run-all", f"--option{OBEYED}"),
    ("run-all", "--threads", OBEYED),
    ("run-all", "--data", f"none{OBEYED}"),
    (f"command{OBEYED}",),
    ("receipts", "--run-id", OBEYED),
    ("restore", "--to", OBEYED),
    ("restore", "--to", "1 run ago", "--dry-run"),
    ("vacuum", "--dry-run"),
    ("replay", "--task", f"another {OBEYED}", "--model", OBEYED, "--base-url", "http://127.0.0.1:1/v1"),
    ("replay", "--task", "x", "--model", "m", "--base-url", f"http://{OBEYED}/v1"),
    ("lock", "--check", "--sql", f"none{OBEYED}"),
)


def test_no_command_lets_it_through(tmp_path: Path) -> None:
    workspace = hostile(tmp_path)

    def work(distill: "object", arguments: tuple[str, ...]) -> None:
        done = run_in(distill, workspace, *arguments, at=workspace.root)  # type: ignore[arg-type]
        assert not RAW.search(done.out + done.err), ascii(done.text)
        assert "Traceback" not in done.err and "should not happen" not in done.err, ascii(done.text)
        assert not re.search(r"^next: nothing", done.out + done.err, re.MULTILINE), ascii(done.text)

    each(work, COMMANDS)


def test_no_page_holds_it(tmp_path: Path) -> None:
    workspace = hostile(tmp_path)
    pages = [*workspace.settings.reports.rglob("*.md"), *workspace.settings.exports.rglob("*.md")]
    assert pages and not [path for path in pages if RAW.search(path.read_bytes().decode())]
    assert not [path for path in pages if "\nnext: nothing" in path.read_text(encoding="utf-8")]


def test_a_file_gets_the_exact_text(tmp_path: Path) -> None:
    workspace = hostile(tmp_path)
    with borrowed() as distill:
        query = "select content from evidence.records order by content limit 1"
        for kind in ("csv", "json"):
            run_in(distill, workspace, "sql", query, "--format", kind, "--output", f"out.{kind}", at=workspace.root)
    (found,) = json.loads((workspace.root / "out.json").read_bytes())
    assert OBEYED in found["content"] and found["content"].encode() in (workspace.root / "out.csv").read_bytes()
