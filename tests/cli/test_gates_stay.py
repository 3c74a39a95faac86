"""No gate goes off by silence: the real command, with options given once and then left out, and with what messages advise."""

import json
import os
import re
import shlex
import threading
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.support.forked import Distill, borrowed, passed, refused, run_in

SFT = "sft/instruction_response.jsonl"


def review(number: int, cited: str, attempts: int = 1) -> dict[str, object]:
    return {
        "run_id": f"r{number}",
        "created_at": f"2026-01-02T03:04:{number:02}Z",
        "file": "a.py",
        "prompt": f"Review a.py, part {number}",
        "review": f"Part {number} holds.",
        "accepted_on_attempt": attempts,
        "cited_paths": [cited],
    }


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Published with a list: one record of three is out because of what it cites, one because it is partially accepted."""
    workspace = Workspace(tmp_path_factory.mktemp("gated"))
    workspace.write("scrum_reviews.jsonl", [review(1, "a.py"), review(2, "made/up.py"), review(3, "a.py", attempts=2)])
    (workspace.root / "known").write_text("a.py\n")
    with borrowed() as distill:
        passed(run_in(distill, workspace, "run-all", "--known-paths", str(workspace.root / "known")))
    (workspace.root / "known").unlink()
    assert taught(workspace) == {"r1"}
    return workspace


@pytest.fixture
def published(tmp_path: Path, prepared: Workspace) -> Workspace:
    return prepared.copy(tmp_path / "copy")


def taught(workspace: Workspace) -> set[str]:
    return {row["source_run_id"] for row in workspace.exported(SFT)}


def commands(text: str) -> list[str]:
    return re.findall(r"`(distill [^`]*)`", text)


def test_what_was_given_once_stays(published: Workspace, distill: Distill) -> None:
    """Whatever command comes next, and whoever else is given in between."""
    published.write("scrum_reviews.jsonl", [review(4, "other.py"), review(5, "a.py")])
    passed(run_in(distill, published, "run-all"))
    assert taught(published) == {"r1", "r5"}
    passed(run_in(distill, published, "export-sft", "--include-partial"))
    assert taught(published) == {"r1", "r3", "r5"}
    for command in ("score", "export-all"):
        passed(run_in(distill, published, command))
    assert taught(published) == {"r1", "r3", "r5"}
    passed(run_in(distill, published, "run-all", "--no-include-partial"))
    passed(run_in(distill, published, "run-all"))
    assert taught(published) == {"r1", "r5"}


def test_a_restored_state_brings_its_gates_back(published: Workspace, distill: Distill) -> None:
    opened = passed(run_in(distill, published, "run-all", "--no-known-paths"))
    assert taught(published) == {"r1", "r2"}
    last = opened.out.splitlines()[-1]
    assert "gates off: known_paths: no list, so hallucinated_file_path is off; drift warns of " in last
    assert "warning drift: export-sft/out went from 1 to 2 (+100.0 %), cause: input" in opened.out
    passed(run_in(distill, published, "run-all"))
    assert taught(published) == {"r1", "r2"}
    passed(run_in(distill, published, "restore", "--to", "2 runs ago"))
    passed(run_in(distill, published, "run-all"))
    assert taught(published) == {"r1"}
    assert "gates off" not in run_in(distill, published, "run-all").out


def test_an_empty_list_is_the_strictest(published: Workspace, distill: Distill) -> None:
    (published.root / "empty").touch()
    passed(run_in(distill, published, "run-all", "--known-paths", str(published.root / "empty")))
    passed(run_in(distill, published, "run-all"))
    assert taught(published) == set()


def test_a_list_from_a_pipe_is_read_once_and_remembered(published: Workspace, distill: Distill) -> None:
    pipe = published.root / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"\xef\xbb\xbfa.py\r\nmade/up.py\r\n",))
    writer.start()
    passed(run_in(distill, published, "run-all", "--known-paths", str(pipe)))
    writer.join()
    assert taught(published) == {"r1", "r2"}
    pipe.unlink()
    passed(run_in(distill, published, "run-all"))
    assert taught(published) == {"r1", "r2"}


def test_a_file_opens_no_gate(published: Workspace, distill: Distill) -> None:
    """Both commands that the refusal names can be pasted: one keeps the gate, the other opens it, for good."""
    (published.root / "distill.toml").write_text("include_partial = true\n")
    done = refused(run_in(distill, published, "run-all", at=published.root), 2, "distill.toml has include_partial = true")
    keep, opens = commands(done.err)
    assert "--no-include-partial" in keep and "--include-partial" in opens
    assert taught(published) == {"r1"}
    passed(run_in(distill, published, *shlex.split(keep)[1:], at=published.root))
    assert taught(published) == {"r1"}
    refused(run_in(distill, published, "export-sft", at=published.root), 2)
    (published.root / "distill.toml").unlink()
    asked = {"DISTILL_INCLUDE_PARTIAL": "1", "DISTILL_MAX_PAIRS": "2"}
    done = refused(run_in(distill, published, "run-all", environment=asked), 2, "DISTILL_INCLUDE_PARTIAL has include_partial")
    assert [command.count("include-partial") for command in commands(done.err)] == [1, 1]
    assert all("--max-pairs 2" in command for command in commands(done.err))
    passed(run_in(distill, published, *shlex.split(opens)[1:], at=published.root))
    passed(run_in(distill, published, "run-all", at=published.root))
    assert taught(published) == {"r1", "r3"}


def test_a_list_that_a_file_names_counts_as_it_is_now(published: Workspace, distill: Distill) -> None:
    (published.root / "distill.toml").write_text('known_paths = "listed"\n')
    refused(run_in(distill, published, "run-all", at=published.root), 3, "listed", "distill.toml names it")
    (published.root / "listed").write_text("a.py\nmade/up.py\n")
    passed(run_in(distill, published, "run-all", at=published.root))
    assert taught(published) == {"r1", "r2"}
    refused(run_in(distill, published, "run-all", environment={"DISTILL_KNOWN_PATHS": ""}), 2, "DISTILL_KNOWN_PATHS is empty")


def test_a_lost_list_stops_the_run(published: Workspace, distill: Distill) -> None:
    (kept,) = (published.settings.warehouse / "lists/known_paths").iterdir()
    kept.unlink()
    done = refused(run_in(distill, published, "run-all"), 2, str(kept))
    given, off = re.findall("`([^`]*)`", done.err)
    assert given.startswith("git ls-files | distill run-all ") and "--known-paths /dev/stdin" in given
    assert taught(published) == {"r1"}
    passed(run_in(distill, published, *shlex.split(off)[1:]))
    assert taught(published) == {"r1", "r2"}


def test_what_health_advises_is_complete(published: Workspace, distill: Distill) -> None:
    """Given only the warehouse, it advises the folders that the state was made in; and its advice opens nothing."""
    unset = {"DISTILL_DATA": "nowhere", "DISTILL_REPORTS": "nowhere"}
    found = json.loads(passed(run_in(distill, published, "health", "--json")).out)
    assert (found["gates_off"], found["drift"]) == ([], [])
    assert found["gates"]["known_paths"] is not None
    for name in ("data", "warehouse", "exports", "reports"):
        assert f"--{name} {getattr(published.settings, name)}" in found["next"]
    passed(run_in(distill, published, *shlex.split(found["next"])[1:], at=published.root, environment=unset))
    assert taught(published) == {"r1"}


def test_drift_that_warns(published: Workspace, distill: Distill) -> None:
    """It fails the command where that is asked, and health goes on saying it until the next run."""
    published.write("scrum_reviews.jsonl", [review(n, "a.py") for n in range(5, 9)])
    done = run_in(distill, published, "run-all", "--fail-on", "warn")
    assert done.code == 1 and "is published all the same" in done.err
    assert len(taught(published)) == 5
    found = run_in(distill, published, "health", "--json")
    drift = {metric["metric"]: metric for metric in json.loads(found.out)["drift"]}
    assert found.code == 0
    assert (drift["export-sft/out"]["before"], drift["export-sft/out"]["after"]) == (1, 5)
    assert "drift: export-sft/out went from 1 to 5" in run_in(distill, published, "health").out
    passed(run_in(distill, published, "run-all", "--fail-on", "warn"))
    assert json.loads(run_in(distill, published, "health", "--json").out)["drift"] == []


def test_a_damage_message_leads_to_a_warehouse_with_the_same_gates(published: Workspace, distill: Distill) -> None:
    """Its way out names another warehouse, files of its own for it, and the gates that it can't remember."""
    for path in (published.settings.warehouse / "scored/runs").glob("*.parquet"):
        path.write_bytes(b"")
    done = refused(run_in(distill, published, "run-all"), 3, "next: ")
    anew = commands(done.err)[-1]
    assert f"--exports {published.settings.exports}-2" in anew and "--known-paths" in anew
    passed(run_in(distill, published, *shlex.split(anew)[1:]))
    written = (published.root / "exports-2" / SFT).read_text().splitlines()
    assert [json.loads(line)["source_run_id"] for line in written] == ["r1"]


def test_models_stay_until_taken_away(published: Workspace, distill: Distill) -> None:
    models = published.root / "models"
    (models / "1_evidence").mkdir(parents=True)
    ours = (Path(__file__).parent.parent.parent / "sql/1_evidence/outcomes.sql").read_text()
    (models / "1_evidence/mine.sql").write_text(ours.replace("outcomes", "mine"))
    (models / "2_scored").mkdir()
    scores = (Path(__file__).parent.parent.parent / "sql/2_scored/outcomes.sql").read_text()
    (models / "2_scored/mine.sql").write_text(scores.replace("outcomes", "mine"))
    published.write("mine.jsonl", [{"created_at": "2026-01-02T03:04:05Z", "task": "t", "summary": "s"}])
    passed(run_in(distill, published, "run-all", "--sql", str(models)))
    assert "no model" not in run_in(distill, published, "run-all").out
    moved = models.rename(published.root / "moved")
    done = refused(run_in(distill, published, "run-all"), 2, str(models), "--no-sql")
    moved.rename(models)
    passed(run_in(distill, published, *shlex.split(commands(done.err)[-1])[1:]))
    assert "stream mine has no model" in run_in(distill, published, "run-all").out
