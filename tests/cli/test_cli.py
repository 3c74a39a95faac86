"""The command as people and machines use it: exit codes, documents, help, environment, and nothing that surprises."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from tests.conftest import STAGES, Workspace
from tests.support.forked import RUNS, Distill, Done, borrowed, each, passed, refused, run_in
from tests.support.killing import review

SCHEMAS = Path(__file__).parent.parent.parent / "pipeline/reports/schemas"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two runs: reviews and a broken line, then one review more."""
    workspace = Workspace(tmp_path_factory.mktemp("prepared"))
    with borrowed() as distill:
        workspace.write("scrum_reviews.jsonl", [*(review(n) for n in range(9)), b"{broken"])
        passed(run_in(distill, workspace, "run-all"))
        workspace.write("scrum_reviews.jsonl", [review(10)])
        passed(run_in(distill, workspace, "run-all"))
        return workspace


@pytest.fixture
def published(tmp_path: Path, prepared: Workspace) -> Workspace:
    return prepared.copy(tmp_path / "copy")


def document(done: Done) -> Any:
    """Returns what a command printed with --json: one document, strictly JSON, and nothing else."""
    return json.loads(done.out, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


def valid(schema: str, found: dict[str, Any]) -> None:
    fastjsonschema.compile(json.loads((SCHEMAS / f"{schema}.json").read_text()))(found)


def test_exit_codes(published: Workspace, distill: Distill) -> None:
    """0 good, 1 a gate or a check failed, 2 wrong usage, 3 the warehouse or the input can't be read."""
    before = published.hashes()
    passed(run_in(distill, published, "run-all"))
    passed(run_in(distill, published, "health"))
    refused(run_in(distill, published, "run-all", "--strict"), 1, "--strict")
    assert run_in(distill, published, "health").code == 1
    refused(run_in(distill, published, "run-all", "--no-such-option"), 2)
    refused(run_in(distill, published, "no-such-command"), 2)
    refused(run_in(distill, published, "sql"), 2)
    refused(run_in(distill, published, "run-all", "--data", "nowhere"), 3, "nowhere")
    for arguments in (("health",), ("tables",), ("receipts",), ("sql", "select 1")):
        refused(run_in(distill, published, *arguments, "--warehouse", "nowhere"), 3, "nowhere", "run-all")
    assert published.hashes() == before


NOWHERE = {
    "no data": (("run-all", "--data", "nowhere"), "nowhere: no such data directory"),
    "no data to land": (("land", "--data", "nowhere"), "nowhere: no such data directory"),
    "nothing to score": (("score",), "there is no warehouse here"),
    "no place for reports": (("run-all", "--reports", "file/reports"), "file/reports: Not a directory"),
}


@pytest.mark.parametrize("arguments, said", NOWHERE.values(), ids=NOWHERE)
def test_a_wrong_name_makes_nothing(workspace: Workspace, distill: Distill, arguments: tuple[str, ...], said: str) -> None:
    """No warehouse to clean up, and no run that finds out at its end."""
    workspace.write("scrum_reviews.jsonl", [review(1)])
    (workspace.root / "file").touch()
    for there in ([], [workspace.settings.warehouse]):
        for folder in there:
            folder.mkdir()
        refused(run_in(distill, workspace, *arguments, at=workspace.root), 3, said)
        for folder in (workspace.settings.warehouse, workspace.settings.exports, workspace.settings.reports):
            assert list(workspace.root.glob(f"{folder.name}/*")) == [] and folder.exists() == (folder in there)


def test_reports_that_can_not_be_written_stop_a_run_before_it_begins(workspace: Workspace, distill: Distill) -> None:
    workspace.write("scrum_reviews.jsonl", [review(1)])
    workspace.settings.reports.mkdir(mode=0o500)
    done = run_in(distill, workspace, "run-all", mortal=True)
    refused(done, 3, f"{workspace.settings.reports}: Permission denied", "give the same command again")
    assert not workspace.settings.warehouse.exists()


def test_a_run_whose_data_went_away_is_on_record(published: Workspace, distill: Distill) -> None:
    refused(run_in(distill, published, "run-all", "--data", "nowhere"), 3, "no such data directory")
    assert "failed and was not published" in run_in(distill, published, "health").out


NO_SENSE = (
    ("--memory-limit", "much"),
    ("--memory-limit", ""),
    ("--drift-threshold", "nan"),
    ("--drift-threshold", "inf"),
    ("--drift-threshold", "-1"),
    ("--threads", "0"),
    ("--recorded-at", "yesterday"),
    ("--recorded-at", "0001-01-01T00:00:00+14:00"),
    ("--recorded-at", "9999-12-31T23:59:59-14:00"),
    ("extra",),
)


def test_options_that_make_no_sense(prepared: Workspace, tmp_path: Path) -> None:
    def work(distill: Distill, arguments: tuple[str, ...]) -> None:
        workspace = prepared.copy(tmp_path / "-".join(arguments))
        refused(run_in(distill, workspace, "run-all", *arguments), 2, arguments[0])
        assert len(workspace.warehouse.snapshots()) == 2

    each(work, NO_SENSE)


def test_every_command_has_help(distill: Distill, workspace: Workspace) -> None:
    told = passed(run_in(distill, workspace, "--help")).out
    commands = re.findall(r"^  ([a-z-]+)  ", told.split("Commands:")[1], re.MULTILINE)
    assert {*RUNS, "sql", "tables", "receipts", "health"} <= set(commands)
    assert "Exit codes" in told
    for command in commands:
        helped = passed(run_in(distill, workspace, command, "--help")).out
        assert helped.startswith(f"Usage: distill {command}") and "--help" in helped
        undescribed = re.findall(r"^  (--\S+)(?: [A-Z]+)?\s*$\n  --", helped, re.MULTILINE)
        assert not undescribed, f"{command} {undescribed}"
    assert passed(run_in(distill, workspace, "-h")).out == told
    assert re.fullmatch(r"distill, version \d+\.\d+\.\d+\S*\n", passed(run_in(distill, workspace, "--version")).out)


def test_help_is_quick() -> None:
    """It does not load what only a run needs."""
    code = "import sys, pipeline.cli; print([name for name in ('duckdb', 'pyarrow', 'deltalake') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_run_as_json(prepared: Workspace, tmp_path: Path) -> None:
    def work(distill: Distill, command: str) -> None:
        workspace = prepared.copy(tmp_path / command)
        found = document(passed(run_in(distill, workspace, command, "--json")))
        assert found["error"] is None
        valid("run_summary.v1", found["summary"])
        valid("drift_report.v1", found["drift"])
        for receipt in found["receipts"]:
            valid("stage_receipt.v1", receipt)
            assert receipt["run_id"] == found["summary"]["run_id"]
        assert [receipt["stage"] for receipt in found["receipts"]] == list(STAGES)
        folder = workspace.settings.reports / found["summary"]["run_id"]
        assert json.loads((folder / "summary.json").read_bytes()) == found["summary"]
        assert json.loads((folder / "drift.json").read_bytes()) == found["drift"]
        for receipt in found["receipts"]:
            assert json.loads((folder / f"{receipt['stage']}.json").read_bytes()) == receipt

    each(work, RUNS)


def test_a_failed_run_as_json(published: Workspace, distill: Distill) -> None:
    """The document says so, and so does standard error."""
    done = refused(run_in(distill, published, "run-all", "--strict", "--json"), 1)
    found = document(done)
    assert found["error"] in done.err and not found["summary"]["overall_passed"] and found["drift"] is None
    assert [receipt["status"] for receipt in found["receipts"]] == ["failed", *["not_run"] * (len(STAGES) - 1)]


def test_tables(prepared: Workspace, distill: Distill) -> None:
    found = {table["table"]: table for table in document(passed(run_in(distill, prepared, "tables", "--json")))}
    assert {
        "raw.lines",
        "evidence.records",
        "scored.runs",
        "exports.rag",
        "exports.quarantine",
        "ops.snapshots",
    } <= found.keys()
    counted = " union all ".join(f"select '{name}' as name, count(*) as rows from {name}" for name in found)
    counts = {row["name"]: row["rows"] for row in prepared.warehouse.sql(counted).to_pylist()}
    assert {name: table["rows"] for name, table in found.items()} == counts
    for table in found.values():
        assert table["meaning"] and table["grain"] and all(column["meaning"] for column in table["columns"])
    assert found["scored.runs"]["models"]["scored/scrum_reviews"].split(":")[0].isdigit()
    before = {
        table["table"]: table
        for table in document(passed(run_in(distill, prepared, "tables", "--json", "--as-of", "1 runs ago")))
    }
    assert (before["raw.lines"]["rows"], found["raw.lines"]["rows"]) == (10, 11)
    for option in ((), ("--columns",)):
        shown = passed(run_in(distill, prepared, "tables", *option)).out
        assert all(name in shown for name in found)


def test_receipts(prepared: Workspace, distill: Distill) -> None:
    newest, first = (snapshot.run_id for snapshot in reversed(prepared.warehouse.snapshots()))
    for asked, run_id in (
        ((), newest),
        (("--run-id", "latest"), newest),
        (("--run-id", first), first),
        (("--run-id", "1 runs ago"), first),
    ):
        found = document(passed(run_in(distill, prepared, "receipts", *asked, "--json")))
        assert [(receipt["stage"], receipt["run_id"]) for receipt in found] == [(stage, run_id) for stage in STAGES]
        for receipt in found:
            valid("stage_receipt.v1", receipt)
        shown = passed(run_in(distill, prepared, "receipts", *asked)).out
        assert all(stage in shown for stage in STAGES)
    for nobody in ("nobody", "x' or 1=1 --", "../x", "", "\udcff", "x" * 10_000, "9" * 5000 + " runs ago"):
        refused(run_in(distill, prepared, "receipts", "--run-id", nobody), 2)


def test_health(prepared: Workspace, distill: Distill) -> None:
    found = document(passed(run_in(distill, prepared, "health", "--json")))
    newest = prepared.warehouse.snapshot()
    assert found["ok"] is True and newest.run_id in found["facts"]["newest snapshot"]
    assert any("1 line was skipped" in text for text in found["attention"])
    shown = passed(run_in(distill, prepared, "health")).out
    assert newest.run_id in shown and f"next: {found['next']}" in shown


def test_what_is_behind_is_said(published: Workspace, distill: Distill) -> None:
    """Who does stages one by one may publish corpora beside newer scores: the command and health say so until all is done."""
    published.write("scrum_reviews.jsonl", [review(20)])
    passed(run_in(distill, published, "land"))
    steps = {"build-evidence": STAGES[1:], "score": STAGES[2:], "export-all": STAGES[6:]}
    before = STAGES
    for command, after in steps.items():
        found = document(passed(run_in(distill, published, "health", "--json")))
        behind = [text.partition(": is behind")[0] for text in found["attention"] if "is behind" in text]
        assert behind == [", ".join(before)]
        assert f"{', '.join(after)}: is behind" in passed(run_in(distill, published, command)).out
        before = after
    assert "is behind" not in passed(run_in(distill, published, "index")).out
    assert "is behind" not in passed(run_in(distill, published, "health")).out


def test_stages_that_were_never_done_are_named(published: Workspace, distill: Distill, tmp_path: Path) -> None:
    elsewhere = {name: str(tmp_path / name) for name in ("DISTILL_WAREHOUSE", "DISTILL_EXPORTS", "DISTILL_REPORTS")}
    done = passed(run_in(distill, published, "land", environment=elsewhere))
    assert f"{', '.join(STAGES[1:])}: was not done yet" in done.out


def test_a_folder_without_streams_is_said(published: Workspace, distill: Distill, tmp_path: Path) -> None:
    (tmp_path / "wrong").mkdir()
    said = f"{tmp_path / 'wrong'}: holds no stream"
    assert said in passed(run_in(distill, published, "run-all", "--data", str(tmp_path / "wrong"))).out
    assert said in passed(run_in(distill, published, "health")).out


def test_environment(published: Workspace, distill: Distill, tmp_path: Path) -> None:
    """Every folder can be named in the environment; an option goes before it."""
    folders = {f"DISTILL_{what.upper()}": str(tmp_path / "by env" / what) for what in ("warehouse", "exports", "reports")}
    known = tmp_path / "known.txt"
    known.write_text("nothing\n")
    done = run_in(distill, published, "run-all", "--json", environment=folders | {"DISTILL_KNOWN_PATHS": str(known)})
    warnings = [text for receipt in document(passed(done))["receipts"] for text in receipt["validation"]["warnings"]]
    assert not any("known paths" in text for text in warnings)
    for folder in folders.values():
        assert any(Path(folder).iterdir())
    done = run_in(
        distill, published, "health", "--warehouse", str(published.settings.warehouse), environment={"DISTILL_WAREHOUSE": "no"}
    )
    passed(done)
    refused(run_in(distill, published, "run-all", environment={"DISTILL_SQL": str(tmp_path / "none")}), 3, "none")


def test_defaults_are_below_the_current_directory(prepared: Workspace, tmp_path: Path) -> None:
    shutil.copytree(prepared.data, tmp_path / "data/_kb")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DISTILL_")}
    clean["PYTHONPATH"] = str(SCHEMAS.parent.parent)
    command = [sys.executable, "-m", "pipeline", "run-all"]
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"data", "warehouse", "exports", "reports"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        (("history",), 0),
        (("restore", "--to", "1 run ago", "--dry-run"), 0),
        (("vacuum", "--dry-run"), 0),
        (("diff", "scored.runs", "1 run ago"), 0),
        (("search", "Finding"), 0),
        (("models",), 0),
        (("replay", "--task", "x", "--model", "m", "--base-url", "http://127.0.0.1:1/v1"), 3),
        (("replay-trend",), 0),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_the_installed_command(published: Workspace, arguments: tuple[str, ...], code: int) -> None:
    """The script itself, in an interpreter that nobody warmed."""
    command = [str(Path(sys.executable).with_name("distill")), *arguments]
    done = subprocess.run(command, env=published.environment(), capture_output=True, text=True)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stdout + done.stderr
    assert bool(done.stderr) == bool(code)


def test_no_escape_codes_beyond_a_terminal(published: Workspace, distill: Distill) -> None:
    published.write("scrum_reviews.jsonl", [review(11), b"{more broken"])
    for arguments in (("run-all",), ("tables",), ("receipts",), ("health",), ("sql", "select * from scored.runs"), ("--help",)):
        done = passed(run_in(distill, published, *arguments))
        assert "\x1b" not in done.out and "\r" not in done.out, done.text


def test_on_a_terminal(published: Workspace) -> None:
    """A bar while it works, a line a stage; and texts of agents can't steer the terminal."""
    published.write("scrum_reviews.jsonl", [review(11) | {"review": "\x1b]0;title\x07 \x1b[2J \x9b2J gone"}])
    code, shown = on_a_terminal(published, "run-all")
    assert code == 0 and "passed" in shown and "Traceback" not in shown
    code, shown = on_a_terminal(published, "sql", "select content from evidence.records where content like '%gone%'")
    assert code == 0 and "gone" in shown
    assert "\x1b]0;" not in shown and "\x1b[2J" not in shown and "\x9b" not in shown and "\x07" not in shown


def on_a_terminal(workspace: Workspace, *arguments: str) -> tuple[int, str]:
    parent, child = pty.openpty()
    environment = workspace.environment() | {"TERM": "xterm", "COLUMNS": "120"}
    command = [sys.executable, "-m", "pipeline", *arguments]
    with subprocess.Popen(command, env=environment, stdin=child, stdout=child, stderr=child) as process:
        os.close(child)
        shown = b""
        try:
            while data := os.read(parent, 65536):
                shown += data
        except OSError:  # what Linux says when the last writer is gone
            pass
    os.close(parent)
    return process.returncode, shown.decode("utf-8", "replace")


def test_a_reader_that_goes_away(prepared: Workspace) -> None:
    """`| head` is no error to shout about."""
    for kind in ("table", "jsonl"):
        query = [sys.executable, "-m", "pipeline", "sql", "select * from range(30000)", "--format", kind]
        with subprocess.Popen(query, env=prepared.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            told = process.stderr.read().decode()
        assert "Traceback" not in told and "Exception ignored" not in told, told


@pytest.mark.parametrize(
    "command", [("run-all",), ("tables",), ("sql", "select * from range(200000)", "--format", "csv")], ids=" ".join
)
def test_a_reader_that_has_seen_enough_stops_nothing(prepared: Workspace, tmp_path: Path, command: tuple[str, ...]) -> None:
    """`distill run-all | head -1` publishes what it made, and no command blames a gate for it."""
    workspace = prepared.copy(tmp_path)
    workspace.write("scrum_reviews.jsonl", [review(n) for n in range(100, 110)])
    before = workspace.warehouse.snapshot().snapshot
    arguments = [sys.executable, "-m", "pipeline", *command]
    with subprocess.Popen(arguments, env=workspace.environment(), cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() == 0
    assert workspace.warehouse.snapshot().snapshot == before + (command == ("run-all",))


IMPORTS = """
import sys, tempfile
from pathlib import Path
import pyarrow
from pipeline.engine import Engine

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(('duckdb', 'pyarrow')):
            print(name)

with tempfile.TemporaryDirectory() as spill:
    engine = Engine("", spill=Path(spill))
    sys.meta_path.insert(0, Watch())
    engine.bind_arrow("run.rows", pyarrow.table({"n": [1]}))
    engine.bind_arrow("run.rows", pyarrow.table({"n": [2]}), more=True)
    print(engine.rows("select max(n) as n from run.rows"))
"""


def test_no_library_is_loaded_on_the_way() -> None:
    """DuckDB, where it loads one, goes on as if nobody had pressed Ctrl-C meanwhile."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[{'n': 2}]\n", "")


CTRL_C_FORGOTTEN = """
import signal, sys
from pipeline.collect import landing
from pipeline.cli.main import main

landed = landing.land

def land(*arguments):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("forgotten")
    return landed(*arguments)

landing.land = land
main(["run-all"])
"""


def test_a_ctrl_c_that_a_library_forgot_publishes_nothing(published: Workspace) -> None:
    before = len(published.warehouse.snapshots())
    published.write("scrum_reviews.jsonl", [review(12)])
    command = [sys.executable, "-c", CTRL_C_FORGOTTEN]
    done = subprocess.run(command, env=published.environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[0]) == (130, "forgotten")
    assert done.stderr.strip() == "distill: stopped"
    assert len(published.warehouse.snapshots()) == before
