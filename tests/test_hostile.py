"""Names, texts and lists that mean harm, or just look odd: all arrive as they were written, or a clear word says why not."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import Workspace
from tests.support.forked import Distill, borrowed, each, passed, refused, run_in

NASTY = (
    "'; drop table raw.lines; --",
    "quo'te and dq\"x",
    "new\nline\r\nand\ttab",
    "../../etc/passwd",
    "nul\x00in the middle",
    "漢字 ü 🎉 e\u0301 \u202eright to left\u202c \ufeff",
    "{{jinja}} {0} %s %(x)s $1 ${HOME} `id` \\ \\n \\u0041",
    "\x1b[31mred\x1b[0m\x07\x08",
    "[bold]rich[/bold] [/] [link=x]",
    "* ? [a-z] # % & | < > ; : , = ~",
    "\u2028line\u2029\x85",
    "long " * 20_000,
)
NAMES = (
    "a'b",
    'a"b',
    "a;drop table x",
    "a\nb",
    "tab\tx",
    "\x01control",
    "%41",
    "back\\slash",
    "*",
    "[a]",
    "{a}",
    "a|b",
    "ü漢🎉",
    "-dash",
    "null",
    "select",
    "[red]bold",
    "x" * 240,
    "a.jsonl.gz",
    "with space ",
    "~",
    "$HOME",
)


def review(number: int, text: str) -> dict[str, Any]:
    """A review of which two in a row make a pair: the first accepted, the second rejected."""
    judged = {"accepted_on_attempt": 1} if number % 2 == 0 else {"accepted": False}
    named = {"run_id": f"{number} {text}", "task_id": text, "file": text, "prompt": f"{text} ?", "review": f"{number} {text}"}
    return {"created_at": "2026-04-27T03:33:53Z", **named, **judged}


def judged_files(workspace: Workspace) -> dict[str, list[dict[str, Any]]]:
    return {
        "rag": workspace.exported("rag/playbooks.jsonl"),
        "sft": workspace.exported("sft/instruction_response.jsonl"),
        "preference": workspace.exported("preference/chosen_rejected.jsonl"),
    }


def test_nasty_texts_arrive_as_they_were(workspace: Workspace, distill: Distill) -> None:
    rows = [review(2 * n + side, text) for n, text in enumerate(NASTY) for side in (0, 1)]
    workspace.write("scrum_reviews.jsonl", rows)
    passed(run_in(distill, workspace, "run-all"))
    records = {row["line_offset"]: row for row in workspace.rows("evidence.records")}
    for offset, row in enumerate(rows):
        record = records[offset]
        assert (record["run_id"], record["task_id"], record["subject"]) == (row["run_id"], row["task_id"], row["file"])
        assert (record["instruction"], record["content"]) == (row["prompt"], row["review"])
    files = judged_files(workspace)
    assert {row["content"] for row in files["rag"]} == {row["review"] for row in rows[::2]}
    assert {(row["instruction"], row["response"]) for row in files["sft"]} == {(r["prompt"], r["review"]) for r in rows[::2]}
    pairs = {(row["task_id"], row["chosen"], row["rejected"], row["chosen_run_id"]) for row in files["preference"]}
    both = zip(rows[::2], rows[1::2], strict=True)
    assert pairs == {(a["task_id"], a["review"], b["review"], a["run_id"]) for a, b in both}
    for row in files["rag"]:
        assert row["id"] == "rag-" + hashlib.sha256(row["content"].encode()).hexdigest()[:16]
    done = passed(run_in(distill, workspace, "run-all", "--json"))
    assert {receipt["status"] for receipt in json.loads(done.out)["receipts"]} == {"unchanged"}


def test_nasty_stream_and_file_names(workspace: Workspace, distill: Distill) -> None:
    """As streams without a model, as files below a stream with one, and as folders in between."""
    for number, name in enumerate(NAMES):
        workspace.write(f"{name}.jsonl", [{"n": number}])
        workspace.write(f"scrum_reviews/{name}/{name[:200]}.jsonl", [review(0, f"text {number}")])
    done = passed(run_in(distill, workspace, "run-all", "--json"))
    landed = {(row["source"], row["source_file"]) for row in workspace.rows("raw.lines")}
    below = {("scrum_reviews", f"scrum_reviews/{name}/{name[:200]}.jsonl") for name in NAMES}
    assert landed == {(name, f"{name}.jsonl") for name in NAMES} | below
    by_stream = json.loads(done.out)["receipts"][0]["record_counts"]["by_stream"]
    assert {name for name, held in by_stream.items() if "unmapped" in held} == set(NAMES)
    assert {row["provenance"]["source_file"] for row in workspace.exported("rag/playbooks.jsonl")} == {
        name for _, name in below
    }
    passed(run_in(distill, workspace, "receipts"))


def test_many_streams_and_files(workspace: Workspace, distill: Distill) -> None:
    for number in range(100):
        workspace.write(f"stream_{number}.jsonl", [{"n": number}])
        workspace.write(
            f"audits/{number % 7}/{number}.jsonl", [{"ts": number, "topic": "t", "severity": "low", "evidence": f"e{number}"}]
        )
    passed(run_in(distill, workspace, "run-all"))
    (counts,) = workspace.warehouse.sql("select count(*) as n, count(distinct source) as sources from raw.lines").to_pylist()
    assert (counts["n"], counts["sources"]) == (200, 101)
    assert len(workspace.exported("rag/playbooks.jsonl")) == 100


def test_a_line_of_20_megabytes(workspace: Workspace, distill: Distill) -> None:
    """Also in the log of the tables: what a text is goes into Parquet alone, or every later command reads it again."""
    text = "é\n'\"" * 1_900_000
    workspace.write("scrum_reviews.jsonl", [review(0, "small"), review(0, "big") | {"review": text}, review(1, "big")])
    passed(run_in(distill, workspace, "run-all", "--max-line", "32MiB"))
    content = {row["task_id"]: row["content"] for row in workspace.exported("rag/playbooks.jsonl")}
    assert content["big"] == text and content["small"] == "0 small"
    (pair,) = workspace.exported("preference/chosen_rejected.jsonl")
    assert pair["chosen"] == text
    logs = [path.stat().st_size for path in workspace.settings.warehouse.glob("*/*/_delta_log/*")]
    assert max(logs) < 1_000_000


ODD_FOLDERS = ("sp ace'q\"uote;$&@!,+=(){}<>`:~", "-ünï-漢字 🎉 e\u0301" + "d" * 200)


def test_folders_with_odd_names(tmp_path: Path) -> None:
    """All four at once; and any DuckDB opens the catalog."""

    def work(distill: Distill, name: str) -> None:
        workspace = Workspace(tmp_path / name)
        workspace.write("scrum_reviews.jsonl", [review(0, "t"), review(1, "t")])
        passed(run_in(distill, workspace, "run-all"))
        passed(run_in(distill, workspace, "run-all"))
        done = passed(run_in(distill, workspace, "sql", "select count(*) as n from evidence.records", "--format", "json"))
        assert json.loads(done.out) == [{"n": 2}]
        assert len(workspace.exported("rag/playbooks.jsonl")) == 1
        with duckdb.connect(str(workspace.settings.warehouse / "distillery.duckdb"), read_only=True) as catalog:
            assert catalog.execute("select count(*) from evidence.records").fetchone() == (2,)

    each(work, ODD_FOLDERS)


def test_folders_that_only_delta_can_not_name(workspace: Workspace, distill: Distill) -> None:
    """Data, exports and reports may be called anything at all."""
    workspace.write("scrum_reviews.jsonl", [review(0, "t"), review(1, "t")])
    root = workspace.root / "x%20*?[a-z]\\^|#\n\t\x01"
    root.mkdir()
    workspace.data.rename(root / "data")
    folders = {f"DISTILL_{what.upper()}": str(root / what) for what in ("data", "exports", "reports")}
    passed(run_in(distill, workspace, "run-all", environment=folders))
    passed(run_in(distill, workspace, "run-all", environment=folders))
    assert len((root / "exports/preference/chosen_rejected.jsonl").read_bytes().splitlines()) == 1


MARKS = (*"%\\[]^|*?#\n\t\x01\x7f", "\udcff")


def test_a_warehouse_that_delta_may_not_name(tmp_path: Path) -> None:
    """Either it works, or it is refused before anything is written: never a warehouse that forgets."""

    def work(distill: Distill, mark: str) -> None:
        workspace = Workspace(tmp_path / f"{ord(mark)}")
        workspace.write("scrum_reviews.jsonl", [review(0, "t"), review(1, "t")])
        folder = {"DISTILL_WAREHOUSE": str(workspace.root / f"a{mark}b")}
        done = run_in(distill, workspace, "run-all", environment=folder)
        if done.code == 0:
            passed(run_in(distill, workspace, "run-all", environment=folder))
            query = ("sql", "select count(*) as n from raw.lines", "--format", "json")
            assert json.loads(passed(run_in(distill, workspace, *query, environment=folder)).out) == [{"n": 2}]
            return
        refused(done, 3)
        assert not workspace.settings.exports.exists()
        Path(folder["DISTILL_WAREHOUSE"]).mkdir(exist_ok=True)
        refused(run_in(distill, workspace, "sql", "select 1", environment=folder), 3)

    each(work, MARKS)


def test_exports_in_a_folder_that_is_no_utf8(workspace: Workspace, distill: Distill) -> None:
    workspace.write("scrum_reviews.jsonl", [review(0, "t"), review(1, "t")])
    folder = workspace.root / "a\udcffb"
    done = run_in(distill, workspace, "run-all", environment={"DISTILL_EXPORTS": str(folder)})
    if done.code == 0:
        assert len((folder / "preference/chosen_rejected.jsonl").read_bytes().splitlines()) == 1
    else:
        refused(done, 3)


CITED = ("src/a.py", "src/ü 漢.py", 'src/quo"te.py', "src/tab\tx.py", "src/nul\x00x.py", " lead.py", "src/back\\n.py")


LISTS: dict[str, tuple[bytes, set[str]]] = {
    "empty": (b"", set()),
    "blank": (b"\n \n\t\n\n", set()),
    "without a newline": (b"src/a.py", {"src/a.py"}),
    "windows": (b"src/a.py\r\n\r\n", {"src/a.py"}),
    "sql": (b"'; drop table x; --\nsrc/a.py\nsrc/a.py\n../src/a.py\n*\n%\n", {"src/a.py"}),
    "unicode": ("src/a.py\nsrc/ü 漢.py\n lead.py\n".encode(), {"src/a.py", "src/ü 漢.py", " lead.py"}),
    "nul": (b"src/nul\x00x.py\n\x00\n", {"src/nul\x00x.py"}),
    "long": (b"x" * 3_000_000 + b"\nsrc/a.py\n", {"src/a.py"}),
}


@pytest.fixture(scope="module")
def citing(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Records that cite one path each."""
    workspace = Workspace(tmp_path_factory.mktemp("citing"))
    with borrowed() as distill:
        rows = [review(2 * n, f"t{n}") | {"cited_paths": [path]} for n, path in enumerate(CITED)]
        workspace.write("scrum_reviews.jsonl", rows)
        passed(run_in(distill, workspace, "run-all"))
        return workspace


def let_through(distill: Distill, workspace: Workspace, known: bytes) -> set[str]:
    """Returns the cited paths that a list of known paths lets through."""
    path = workspace.root / "known paths.txt"
    path.write_bytes(known)
    passed(run_in(distill, workspace, "export-rag", "--known-paths", str(path)))
    return {CITED[int(row["task_id"][1:])] for row in workspace.exported("rag/playbooks.jsonl")}


def test_known_paths_with_odd_lines(citing: Workspace, tmp_path: Path) -> None:
    def work(distill: Distill, name: str) -> None:
        known, through = LISTS[name]
        assert let_through(distill, citing.copy(tmp_path / name), known) == through

    each(work, LISTS)


def test_known_paths_as_git_prints_them(citing: Workspace, distill: Distill) -> None:
    """Git puts names that are not plain ASCII in quotes, with C escapes."""
    repository = citing.root / "repository"
    names = [name for name in CITED if "\x00" not in name]
    for name in names:
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_bytes(b"")
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    listed = subprocess.run(["git", "-c", "core.quotepath=on", "ls-files"], cwd=repository, check=True, capture_output=True)
    assert let_through(distill, citing, listed.stdout) == set(names)


def test_known_paths_that_can_not_be_read(workspace: Workspace, distill: Distill) -> None:
    workspace.write("scrum_reviews.jsonl", [review(0, "t")])
    path = workspace.root / "paths"
    refused(run_in(distill, workspace, "run-all", "--known-paths", str(path)), 3, str(path))
    path.write_bytes(b"src/a.py\n\xff\xfe\n")
    refused(run_in(distill, workspace, "run-all", "--known-paths", str(path)), 3, str(path))
    assert not (workspace.settings.exports / "rag/playbooks.jsonl").exists()
