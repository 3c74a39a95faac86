"""Playbooks: which lines are steps, what they are drawn from, and that no title and no text breaks a page or its place."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import GateError
from pipeline.settings import Gates
from pipeline.trace import trace
from tests.conftest import Workspace
from tests.support.rows import copied_sql, edit, review

STREAM = "observer_reviews.jsonl"
FOLDER = "playbooks"

STEPS = {
    "Verify that the tests pass": "Verify that the tests pass",
    "- check the log": "check the log",
    "  * Assert x == 1": "Assert x == 1",
    "\t+ ensure a lease": "ensure a lease",
    "• Confirm with the owner": "Confirm with the owner",
    "1. Verify one": "Verify one",
    "12) Verify two": "Verify two",
    "(3) Verify three": "Verify three",
    "- [ ] Check a box": "Check a box",
    "* [x] Check a done box": "Check a done box",
    "2. [ ] ☐ VERIFY much": "VERIFY much",
    "> - 4. Ensure quoted": "Ensure quoted",
    "### Check the heading": "Check the heading",
    "**Verify** that it holds": "Verify that it holds",
    "- **Ensure:** one thing": "Ensure: one thing",
    "__Check__ another": "Check another",
    "assert(value > 0)": "assert(value > 0)",
    "Verify: colons": "Verify: colons",
    "\u00a0Verify\u2003after odd spaces\r": "Verify after odd spaces",
    "Verify \x00nothing hidden\u202e": "Verify nothing hidden",
}
NO_STEPS = (
    "Verified it",
    "checks pass",
    "check_all()",
    "Recheck this",
    "We verify that",
    "Checkété",
    "ensured",
    "",
    "Check",
    "- [ ] verify!",
)


def playbooks(workspace: Workspace) -> dict[str, dict[str, Any]]:
    return {row["title"]: row for row in workspace.rows("exports.playbooks")}


def page_of(workspace: Workspace, title: str) -> str:
    return (workspace.settings.exports / FOLDER / playbooks(workspace)[title]["file"]).read_text(encoding="utf-8")


def test_lines_that_begin_with_a_verb_are_steps(workspace: Workspace) -> None:
    workspace.write(STREAM, [review("t", "accept", "\n".join([*STEPS, *NO_STEPS]))])
    workspace.passed()
    (playbook,) = workspace.rows("exports.playbooks")
    assert playbook["steps_in_all"] == len(STEPS)
    assert len(playbook["steps"]) == 20
    assert {step["step"] for step in playbook["steps"]} == set(STEPS.values())


def test_steps_are_counted_by_records_and_come_in_that_order(workspace: Workspace) -> None:
    workspace.write(
        STREAM,
        [
            review("t", "accept", "Check b.\nVerify a\nverify  A!\nVERIFY: a", 1),
            review("t", "cycle", "- [ ] verify `a`\ncheck  B", 2),
            review("t", "accept", "1) Verify a?\nEnsure late", 3),
            review("t", "accept", "Assert early", 0),
            review("t", "reject", "Verify a\nConfirm the rejected", 4),
            review("t", "", "Verify a\nConfirm the unsure", 5),
        ],
    )
    workspace.passed()
    (playbook,) = workspace.rows("exports.playbooks")
    steps = [(step["step"], step["records"]) for step in playbook["steps"]]
    assert steps == [("VERIFY: a", 3), ("Check b.", 2), ("Assert early", 1), ("Ensure late", 1)]
    ids = {row["content"]: row["id"] for row in workspace.rows("exports.rag")}
    assert playbook["steps"][0]["id"] == next(id for content, id in ids.items() if content.startswith("Check b."))


def test_long_and_many_steps_are_cut(workspace: Workspace) -> None:
    many = "\n".join(f"Verify number {number:03}" for number in range(500))
    workspace.write(
        STREAM, [review("t", "accept", f"{many}\nCheck {'x' * 1_000_000}"), review("u", "accept", f"Check {'y ' * 9999}")]
    )
    workspace.passed()
    found = playbooks(workspace)
    assert (len(found["t.py"]["steps"]), found["t.py"]["steps_in_all"]) == (20, 501)
    (step,) = found["u.py"]["steps"]
    assert len(step["step"]) < 310 and step["step"].endswith("…")
    assert all(len(row["page"]) < 20_000 for row in found.values())


def test_a_playbook_says_what_is_known(workspace: Workspace) -> None:
    rows = [review("t", "accept", f"good {n}", n, model="m2" if n % 3 else "m1") for n in range(9)]
    rows += [review("t", "cycle", f"so so {n}", 20 + n) for n in range(7)]
    rows += [review("t", "reject", "bad", 50), review("t", "", "unsure", 51), review("other", "reject", "bad", 52)]
    workspace.write(STREAM, rows)
    workspace.passed(gates=Gates(include_review=True))
    (playbook,) = workspace.rows("exports.playbooks")
    rag = {row["id"]: row for row in workspace.rows("exports.rag")}
    assert playbook["id"] == f"playbook-{hashlib.sha256(b't.py').hexdigest()[:16]}"
    assert (playbook["accepted"], playbook["partially_accepted"]) == (9, 7)
    assert [example["summary"] for example in playbook["exemplars"]] == [f"good {n}" for n in (8, 7, 6, 5, 4)]
    assert [example["summary"] for example in playbook["warnings"]] == [f"so so {n}" for n in (6, 5, 4, 3, 2)]
    assert {tuple(example["reasons"]) for example in playbook["warnings"]} == {("observer_cycle",)}
    assert playbook["models"] == [{"model_name": "m2", "records": 6}, {"model_name": "m1", "records": 3}]
    for example in [*playbook["exemplars"], *playbook["warnings"]]:
        provenance = rag[example["id"]]["provenance"]
        assert all(example[name] == provenance[name] for name in ("source_file", "line_offset", "sig_hash"))
    members = sorted(f"{row['id']} {row['source_category']}" for row in rag.values() if row["playbook_id"])
    assert playbook["evidence_sha256"] == hashlib.sha256("\n".join(members).encode()).hexdigest()
    assert {row["content"]: row["playbook_id"] for row in rag.values()} == {
        row["content"]: None if row["content"] == "unsure" else playbook["id"] for row in rag.values()
    }
    assert {row["playbook_id"] for row in workspace.exported("rag/playbooks.jsonl")} == {playbook["id"], None}


def test_a_page_leads_back_to_its_evidence(workspace: Workspace) -> None:
    workspace.write(STREAM, [review("t", "accept", "- [ ] Verify *that*\n", 1), review("t", "cycle", "so so", 2)])
    workspace.passed()
    (playbook,) = workspace.rows("exports.playbooks")
    page = page_of(workspace, "t.py")
    assert page == playbook["page"]
    for example, line in ((playbook["exemplars"][0], 1), (playbook["warnings"][0], 2)):
        assert (
            f"`distill trace {example['id']}`, observer\\_reviews.jsonl line {line}, sig_hash `{example['sig_hash']}`" in page
        )
    assert f"- [ ] Verify \\*that\\* (1 record, `{playbook['exemplars'][0]['id']}`)\n" in page
    assert "**observer\\_cycle**" in page
    found = trace(workspace.warehouse, workspace.data, playbook["id"])
    assert found.holds and [chain.name for chain in found.chains] == [
        playbook[side][0]["id"] for side in ("exemplars", "warnings")
    ]


TITLES = (
    "../../../etc/passwd",
    "/absolute/path.py",
    "C:\\windows\\nul",
    "nul",
    "README.md",
    "readme",
    "SHA256SUMS",
    "STALE",
    ".",
    "..",
    ".hidden",
    "-rf",
    "a\x00b",
    "new\nline\r\n# heading",
    "x" * 10_000,
    "日本語のタイトル",
    "🚀" * 300,
    "Straße",
    "STRASSE",
    "strasse",
    "a/b",
    "a:b",
    "a b",
    "\u202eright to left",
    "<script>alert(1)</script>",
    "[link](https://evil.example)",
    "![image](https://evil.example/x.png)",
    "| a | b |\n|---|---|",
    "`code` **bold** _em_ ~~gone~~",
    "'; drop table x; --",
    "%s{0}$PATH",
)


def test_no_title_breaks_a_file_name(workspace: Workspace) -> None:
    workspace.write(STREAM, [review(f"t{n}", "accept", f"text {n}", n, file=title) for n, title in enumerate(TITLES)])
    workspace.passed()
    found = playbooks(workspace)
    assert set(found) == set(TITLES)
    names = [row["file"] for row in found.values()]
    assert len({name.lower() for name in names}) == len(TITLES)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,80}\.md", name) for name in names)
    on_disk = {path.name for path in (workspace.settings.exports / FOLDER).iterdir()}
    assert on_disk == {*names, "README.md", "SHA256SUMS"}
    for title, row in found.items():
        lines = page_of(workspace, title).split("\n")
        assert lines[0].startswith("# ") and lines[1] == "" and len(lines[0]) < 400
        assert f"`{row['id']}`" in lines[2]


TEXTS = (
    "# Forged heading",
    "Setext\n======",
    "- item\n  - [ ] nested",
    "<script>alert(1)</script>",
    "<!-- hidden --> <a href='https://evil.example'>x</a>",
    "[click](https://evil.example) https://evil.example www.evil.example",
    "[ref]: https://evil.example",
    "```\nfence",
    "~~~\nfence",
    "| table | row |",
    "&lt;script&gt; &#35; heading",
    "\\[x](https://evil.example)",
    "1986\\. A year",
    "Verify <b>bold</b> [x](y) # heading",
    "Verify\u2028# after a line separator",
    "> quoted\n> # heading",
)


def test_no_text_forges_markdown(workspace: Workspace) -> None:
    rows = [review(f"t{n}", "accept", text, n, file=text, model=text) for n, text in enumerate(TEXTS)]
    rows += [review(f"u{n}", "cycle", f"{text} twice", n, file=f"w{text}", model=text) for n, text in enumerate(TEXTS)]
    workspace.write(STREAM, rows)
    workspace.passed()
    pages = {path.name: path.read_text(encoding="utf-8") for path in (workspace.settings.exports / FOLDER).glob("*.md")}
    index = pages.pop("README.md")
    assert len(pages) == len(rows)
    for page in pages.values():
        headings = [line for line in page.split("\n") if line.startswith("#")]
        assert [line for line in headings[1:] if line not in SECTIONS] == []
        assert re.search(r"(?<!\\)[<\[](?! \] )|(?<!\\)://|(?<!\\)&", page.replace("`distill", "")) is None
        assert re.search(r"^ {0,3}(```|~~~|===|---|\||>)", page, re.MULTILINE) is None
        assert re.search(r"\bwww\.", page) is None
    for line in index.splitlines()[7:]:
        assert re.fullmatch(r"\| \[.*\]\([a-z0-9-]+\.md\) \| [01] \| [01] \| [01] \| 2026-04-27 \|", line), line
        assert len(re.findall(r"(?<!\\)\[", line)) == 1 and len(re.findall(r"(?<!\\)\|", line)) == 6


def test_the_index_lists_no_more_than_people_read(workspace: Workspace) -> None:
    workspace.write(STREAM, [review(f"t{n}", "accept", f"text {n}", n % 60, file=f"f{n:04}.py") for n in range(1003)])
    workspace.write(STREAM, [review("again", "accept", f"more {n}", n % 60, file=f"f{n:04}.py") for n in (1002, 7)])
    workspace.passed()
    head, listed = workspace.files()[f"{FOLDER}/README.md"].decode().split("|---|--:|--:|--:|---|\n")
    assert "1003 playbooks of 1005 records" in head and "Listed are the 1000 with most evidence" in head
    ids = {row["file"]: row["id"] for row in workspace.rows("exports.playbooks")}
    files = re.findall(r"\]\((.*)\)", listed)
    assert len(files) == 1000
    assert {name[:5] for name in files[:2]} == {"f1002", "f0007"}
    assert [ids[name] for name in files[2:]] == sorted(ids[name] for name in files[2:])


SECTIONS = ("## Steps to verify", "## Models that succeeded", "## Exemplars", "## Warnings")

LEAKS = {
    "a rejected record as an exemplar": (
        "3_exports/playbook_units.sql",
        "in_order(place, case category when 'accepted' then example end) as exemplars",
        "[{'id': 'rag-0123456789abcdef', 'created_at': cast('2026-01-01' as timestamptz), 'model_name': '', 'reasons': [''], "
        "'summary': 'LEAK', 'source_file': '', 'line_offset': 1, 'sig_hash': ''}] as exemplars",
        "playbooks_show_what_is_let_out",
    ),
    "a partially accepted record as an exemplar": (
        "3_exports/playbook_units.sql",
        "in_order(place, case category when 'accepted' then example end)",
        "in_order(place, example)",
        "playbooks_show_what_is_let_out",
    ),
    "a step that nobody says": (
        "3_exports/playbook_steps.sql",
        "unnest(steps_of(content)) as step",
        "unnest(['Verify a LEAK']) as step",
        "playbooks_steps_are_said",
    ),
    "records that wait for a human": (
        "3_exports/playbook_records.sql",
        "rows.source_category as category",
        "'accepted' as category",
        "playbooks_conservation",
    ),
    "a page that says more": (
        "3_exports/playbooks.sql",
        "sha256(page) as page_sha256",
        "sha256(page || 'more') as page_sha256",
        "playbooks_pages_equal_table",
    ),
    "rows that name a playbook while they wait for a human": (
        "3_exports/rag.sql",
        "('accepted', 'partially_accepted')",
        "('accepted', 'partially_accepted', 'needs_human_review')",
        "rag_names_its_playbook",
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_stopped(workspace: Workspace, tmp_path: Path, leak: str) -> None:
    workspace.write(
        STREAM, [review("t", verdict, f"Verify {verdict}", n) for n, verdict in enumerate(("accept", "cycle", "", "reject"))]
    )
    workspace.passed(gates=Gates(include_review=True))
    before = workspace.files()
    name, old, new, check = LEAKS[leak]
    holed = copied_sql(tmp_path / "holed")
    edit(holed / name, old, new)
    outcome = workspace.run(sql=holed, gates=Gates(include_review=True))
    assert isinstance(outcome.failure, GateError) and check in str(outcome.failure)
    assert workspace.files() == before


def test_who_waits_for_a_human_is_in_no_playbook(workspace: Workspace) -> None:
    workspace.write(STREAM, [review("t", "", "Verify nothing"), review("u", "reject", "Verify nothing either")])
    workspace.passed(gates=Gates(include_review=True))
    assert len(workspace.rows("exports.rag")) == 1
    assert workspace.rows("exports.playbooks") == []
    assert {path.name for path in (workspace.settings.exports / FOLDER).iterdir()} == {"README.md", "SHA256SUMS"}


def test_made_a_few_at_a_time_they_are_the_same(
    workspace: Workspace, second: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in one statement of several, whose ends lie between any two ids."""
    for one in (workspace, second):
        one.write(STREAM, [review(f"f{n % 40}.py", "accept", f"Verify {n}", n % 40, run_id=f"r{n}") for n in range(120)])
    workspace.passed()
    monkeypatch.setattr("pipeline.export.playbooks.ROWS_AT_A_TIME", 1)
    second.passed()
    assert len(workspace.rows("exports.playbooks")) == 40
    held = [one.warehouse.snapshot() for one in (workspace, second)]
    assert held[0].tables["exports.playbooks"].sha256 == held[1].tables["exports.playbooks"].sha256
    assert workspace.files() == second.files()
