"""docs/trust.md, sentence by sentence: each numbered one has a case here that names it, and that sees it hold."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.settings import Gates
from tests.conftest import Workspace

PAGE = (Path(__file__).parent.parent / "docs/trust.md").read_text(encoding="utf-8")
ITEMS = re.findall(r"^(\d+)\. (.+(?:\n   .+)*)", PAGE, re.MULTILINE)
SENTENCES = {number: " ".join(text.split()) for number, text in ITEMS}

Row = dict[str, Any]
CASES: dict[str, Callable[[Workspace], None]] = {}
LINES: list[tuple[str, Row]] = []
TIME = "2026-04-27T03:33:53Z"
LATER = "2026-04-28T03:33:53Z"


def holds(number: int, sentence: str) -> Callable[[Callable[[Workspace], None]], Callable[[Workspace], None]]:
    """Names the sentence of the page that a case holds, by its number and its first words."""

    def registered(case: Callable[[Workspace], None]) -> Callable[[Workspace], None]:
        assert SENTENCES[str(number)].startswith(sentence), f"docs/trust.md says: {number}. {SENTENCES[str(number)]}"
        CASES[str(number)] = case
        return case

    return registered


def line(stream: str, name: str, **fields: Any) -> None:
    """A line of the one run that all cases look at; its run is called `name`, and so is its task unless it says otherwise."""
    times = {"ts": TIME, "created_at": TIME, "collected_at": TIME, "timestamp": TIME}
    names = {"run_id": name, "task_id": name, "checkpoint_id": name, "session_id": "s"}
    LINES.append((stream, times | names | fields))


def scores(workspace: Workspace, prefix: str) -> dict[str, tuple[str, list[str]]]:
    """Returns category and reasons of the runs whose name begins so."""
    rows = workspace.rows("scored.runs")
    return {row["run_id"]: (row["category"], row["reasons"]) for row in rows if row["run_id"].startswith(prefix)}


def categories(workspace: Workspace, prefix: str) -> dict[str, str]:
    return {name: category for name, (category, _) in scores(workspace, prefix).items()}


def taught(workspace: Workspace) -> set[str]:
    """Returns the responses of the corpus of instructions."""
    return {row["response"] for row in workspace.exported("sft/instruction_response.jsonl")}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("judged"))
    for stream, row in LINES:
        workspace.write(f"{stream}.jsonl", [row])
    workspace.passed(gates=Gates(settlers=("Ann ", "ma")))
    return workspace


def test_every_sentence_has_its_case() -> None:
    assert CASES.keys() == SENTENCES.keys()
    assert list(SENTENCES) == [str(number) for number in range(1, len(SENTENCES) + 1)]


@pytest.mark.parametrize("number", SENTENCES)
def test_sentence(judged: Workspace, number: str) -> None:
    CASES[number](judged)


def test_every_stream_of_ours_stands_in_the_table(judged: Workspace) -> None:
    named = set(re.findall(r"`(\w+\*?)`", "".join(row.split("|")[1] for row in PAGE.splitlines() if row.startswith("| `"))))
    streams = {row["name"].split("/")[1] for row in judged.warehouse.receipts(judged.warehouse.snapshot().made_by)[0]["models"]}
    assert {re.sub(r"^distilled_.*", "distilled_*", stream) for stream in streams} == {
        re.sub(r"^distilled_.*", "distilled_*", name) for name in named
    }


# --- the boundary -----------------------------------------------------------------------------------------

line("observer_reviews", "b-review", file="b.py", notes="whoever wrote it", verdict="accept", model="anybody")


@holds(1, "Whoever writes the data folder is trusted for the verdicts of streams that carry their own")
def trusted_for_its_own_verdict(judged: Workspace) -> None:
    assert scores(judged, "b-") == {"b-review": ("accepted", ["observer_accept"])}
    assert "whoever wrote it" in taught(judged)


@holds(2, "No model, no network and no clock is asked")
def the_same_lines_get_the_same_scores(judged: Workspace) -> None:
    other = Workspace(judged.root / "other")
    for stream, row in reversed(LINES):
        other.write(f"{stream}.jsonl", [row])
    other.passed(gates=Gates(settlers=("Ann ", "ma")), recorded_at=None)

    def decided(workspace: Workspace) -> list[tuple[Any, ...]]:
        names = ("source", "sig_hash", "category", "reasons", "scorer_version")
        return sorted(tuple(row[name] for name in names) for row in workspace.rows("scored.runs"))

    assert decided(other) == decided(judged)


# --- what a hostile line can't do -------------------------------------------------------------------------

line("scrum_reviews", "g-scrum", file="g", review="x", category="accepted", verdict="accept", score=1, reasons=["fine"])
line("outcomes", "g-outcome", task="t", summary="x", verdict="accepted", success_markers=["merged"])
line("optimization_runs", "g-claim", item_id="g", agent_status="success", verdict="success", events_ok=True)
line("mode_experiments", "g-mode", mode="m", prompt="p", text="x", grounded_fraction=1.0, verdict="accept")


@holds(3, "It can't grade itself")
def a_key_that_no_rule_names_changes_nothing(judged: Workspace) -> None:
    found = categories(judged, "g-")
    assert found == dict.fromkeys(("g-scrum", "g-outcome", "g-claim", "g-mode"), "needs_human_review")


line("observer_reviews", "p-parent", file="p.py", notes="a good parent", verdict="accept")
line("audit_facts", "p-facts", task_id="p-parent", facts=["borrowed"])
line("distilled_facts", "p-fact", task_id="p-parent", text="borrowed fact")
line("distilled_procedures", "p-procedure", task_id="p-parent", text="borrowed procedure")
line("distilled_config_hints", "p-hint", task_id="p-parent", text="borrowed hint")
line("observer_escalations", "p-escalation", task_id="p-parent", reason="why?", analysis="borrowed analysis")


@holds(4, "It can't borrow a verdict whole")
def a_borrowed_verdict_is_never_a_whole_one(judged: Workspace) -> None:
    found = scores(judged, "p-")
    assert found.pop("p-parent")[0] == "accepted"
    assert list(found.values()) == [("partially_accepted", ["parent_accepted"])] * 5
    assert not {text for text in taught(judged) if "borrowed" in text}


def discrepancy(name: str, settled_by: Any, **fields: Any) -> None:
    sides = {"finding_a": f"{name} a", "finding_b": f"{name} b", "run_a": f"{name}-a", "run_b": f"{name}-b"}
    models = {"model_a": "ma", "model_b": "tool:mb"}
    line("audit_discrepancies", name, prompt=f"{name}?", winner="a", settled_by=settled_by, **sides, **models | fields)


for place, settler in enumerate(["person:ann", " Test: unit", "TOOL:ci", "ann", " ANN\n"]):
    discrepancy(f"s-yes-{place}", settler)
for place, settler in enumerate(["claude-opus-4", "model:m", "personx", "a person:", "annie", "\u00a0", ["person:ann"], None]):
    discrepancy(f"s-no-{place}", settler)


@holds(5, "It can't settle a discrepancy in a model's name")
def only_people_tests_tools_and_those_on_the_list_settle(judged: Workspace) -> None:
    for name, category in categories(judged, "s-").items():
        assert category == ("accepted" if name.startswith("s-yes") else "needs_human_review"), name


for place, settler in enumerate(["ma", "MA ", "person:ma", "test: MA", "mb", "tool:mb", "person:mb"]):
    discrepancy(f"d-party-{place}", settler)
discrepancy("d-party-hidden", "person:mb", model_b=["mb"])


@holds(6, "It can't settle its own discrepancy")
def a_party_settles_nothing(judged: Workspace) -> None:
    found = categories(judged, "d-")
    assert len(found) == 8 and set(found.values()) == {"needs_human_review"}


def replay(name: str) -> None:
    line("replay_runs", name, task="what is true?", answer=f"answer of {name}", verdict="passed", attempt=1, model="m")


for place, said in enumerate([{"model": "m"}, {"model": " M "}, {"model": "n"}, {"provider": "p"}, {"model": ["m"]}]):
    replay(f"r-model-{place}")
    task = f"r-model-{place}"
    line("outcomes", f"out-{task}", task_id=task, task="t", summary="", all_events_ok=True, created_at=LATER, **said)
    line("auto_apply", f"out-apply-{task}", task_id=task, file="f", action="committed", ts=LATER, **said)
    line("agent_checkpoints", f"out-cp-{task}", task_id=task, outcome="merged_main", created_at=LATER, **said)
    line("observer_reviews", f"out-review-{task}", task_id=task, notes="x", verdict="accept", ts=LATER, **said)
replay("r-nobody")
line("outcomes", "out-r-nobody", task_id="r-nobody", task="t", summary="", all_events_ok=True, created_at=LATER, model=" ")


@holds(7, "It can't confirm a replay in a model's name")
def what_names_a_model_is_a_models_word(judged: Workspace) -> None:
    found = scores(judged, "r-")
    assert found.pop("r-nobody") == ("accepted", ["confirmed_outside"])
    assert set(map(str, found.values())) == {str(("needs_human_review", ["gate_is_no_proof"]))} and len(found) == 5


replay("own-1")
replay("own-2")
line("outcomes", "own-1", task_id="own-1", task="t", summary="", all_events_ok=True, created_at=LATER)
line("outcomes", "own-1", task_id="own-2", task="t", summary="", all_events_ok=True, created_at=LATER)
line("replay_runs", "own-3", task_id="own-2", task="q", answer="own", verdict="passed", created_at=LATER)


@holds(8, "It can't confirm its own replay")
def the_run_of_a_replay_confirms_none(judged: Workspace) -> None:
    rows = [row for row in judged.rows("scored.runs") if row["source"] == "replay_runs" and row["run_id"].startswith("own-")]
    assert [row["reasons"] for row in rows] == [["gate_is_no_proof"]] * 3


line("observer_reviews", "u-verdict", notes="unreadable", verdict={"is": "reject"})
line("scrum_reviews", "u-accepted", review="unreadable", accepted="false", accepted_on_attempt=1)
line("scrum_reviews", "u-attempt", review="unreadable", accepted=True, accepted_on_attempt=1.5)
line("audits", "u-severity", topic="t", phase=1, evidence="unreadable", severity=["critical"], verdict="pass")
line("contract_analyses", "u-markers", analysis="unreadable", observer_verdict="accept", failure_markers="oom")
line("contract_analyses", "u-marker", analysis="unreadable", observer_verdict="accept", failure_markers=[{"oom": 1}])
line("outcomes", "u-gap", task="t", summary="unreadable", all_events_ok=True, gap_signals="3")
line("outcomes", "u-many-gaps", task="t", summary="unreadable", all_events_ok=True, gap_signals=10**30)
line(
    "mode_experiments",
    "u-slow",
    prompt="p",
    text="unreadable",
    latency_ms="999999",
    validation_results={"grounded_fraction": 1},
)
line("mode_experiments", "u-share", prompt="p", text="unreadable", validation_results={"grounded_fraction": 80})
line("auto_apply", "u-paths", file="f", patch="unreadable", action="committed", cited_paths="made/up.py")
line("agent_checkpoints", "u-files", prompt="p", final_message="unreadable", outcome="merged_main", files_touched=[1])
line("optimization_runs", "u-improved", item_id="u", evaluation={"status": ["no_patch"], "improvement": True})
line("model_trust", "u-thumb", task_type="t", thumb={"up": True}, ok=True)
line("distilled_facts", "u-fact", task_id="p-parent", text="unreadable", cited_paths={"a": 1})
line("contract_analyses", "n-rejected", analysis="x", observer_verdict=1, failure_markers=["oom", 3])


@holds(9, "It can't hide a verdict in another JSON type")
def what_cannot_be_read_is_not_nothing(judged: Workspace) -> None:
    found = scores(judged, "u-")
    assert set(map(str, found.values())) == {str(("needs_human_review", ["unreadable_verdict"]))} and len(found) == 15
    assert scores(judged, "n-") == {"n-rejected": ("rejected", ["failure_marker:oom"])}
    assert "unreadable" not in taught(judged)


for place, blank in enumerate(
    ["\u00a0", "\u200b", "\u3000", "\ufeff", "\x00", "\u2060 \u2028", "\u0085", "\u00ad", "\U000e0041"]
):
    line("observer_reviews", f"i-content-{place}", prompt="p", notes=blank, verdict="accept")
    line("observer_reviews", f"i-prompt-{place}", prompt=blank, notes=f"invisible {place}", verdict="accept")


@holds(10, "It can't hide behind invisible characters")
def invisible_texts_are_blank(judged: Workspace) -> None:
    stopped = [row for row in judged.rows("exports.quarantine") if (row["source_run_id"] or "").startswith("i-")]
    assert sum(row["export"] == "sft" and row["reason"] == "empty_content" for row in stopped) == 18
    assert not {text for text in taught(judged) if text.startswith("invisible")}


def patch(name: str, task: str, **fields: Any) -> None:
    line("auto_apply", name, task_id=task, **{"file": "rev.py", "patch": f"+ {name}", "action": "committed"} | fields)


patch("v-gone", "v1")
patch("v-revert", "v1", action=" Build_REVERTED", patch=None, ts=LATER)
patch("v-again", "v1", ts="2026-04-29T00:00:00Z")
patch("v-other-file", "v1", file="other.py")
patch("v-other-task", "v2")
patch("v-same-time", "v3")
patch("v-same-revert", "v3", action="x_reverted", patch=None)
patch("v-no-file", "v4", file="\u200b")
patch("v-no-file-revert", "v4", file="\u200b", action="x_reverted", ts=LATER)


@holds(11, "It can't outlive its revert")
def a_later_revert_rejects_the_patch(judged: Workspace) -> None:
    found = scores(judged, "v-")
    assert found["v-gone"] == ("rejected", ["reverted_later"])
    stay = ("v-again", "v-other-file", "v-other-task", "v-same-time", "v-no-file")
    assert {found[name][0] for name in stay} == {"accepted"}
    assert "+ v-gone" not in taught(judged) and {"+ v-again", "+ v-other-task"} <= taught(judged)


@holds(12, "It can't rewrite the past")
def landed_lines_stay_as_they_are(judged: Workspace) -> None:
    copied = judged.copy(judged.root.parent / "copied")
    path = copied.data / "observer_reviews.jsonl"
    path.write_bytes(path.read_bytes().replace(b"whoever wrote it", b"somebody else's "))
    with pytest.raises(InputError, match="accept-rewrite"):
        raise copied.run().failure or AssertionError("the run passed")
    assert copied.warehouse.snapshot().snapshot == judged.warehouse.snapshot().snapshot
    assert copied.run(accept_rewrite=True).failure is None


# --- what it can do ---------------------------------------------------------------------------------------

line("observer_reviews", "c-forged", file="c.py", notes="forged and accepted", verdict="accept")


@holds(13, "It can add a record of a stream that carries its own verdict")
def a_forged_review_is_a_review(judged: Workspace) -> None:
    assert "forged and accepted" in taught(judged)


line("observer_reviews", "t-good", prompt="disputed?", notes="disputed", verdict="accept")
line("scrum_reviews", "t-bad", prompt="disputed?", review="disputed", accepted=False)


@holds(14, "It can take texts away")
def a_rejected_text_is_not_taught(judged: Workspace) -> None:
    assert categories(judged, "t-") == {"t-good": "accepted", "t-bad": "rejected"}
    assert "disputed" not in taught(judged)


line("observer_reviews", "l-good", task_id="l", notes="l good", verdict="accept")
line("observer_reviews", "l-bad", task_id="l", notes="l bad", verdict="reject")
line("distilled_facts", "l-fact", task_id="l", text="l fact")
line("observer_reviews", "l-worse", task_id="l2", notes="l worse", verdict="reject")
line("distilled_facts", "l-fact-2", task_id="l2", text="l fact 2")


@holds(15, "It can lower what was borrowed from a task by rejecting a record of that task")
def a_rejected_parent_lowers_what_was_borrowed(judged: Workspace) -> None:
    found = scores(judged, "l-fact")
    assert found == {
        "l-fact": ("partially_accepted", ["parents_mixed"]),
        "l-fact-2": ("rejected", ["parent_rejected"]),
    }


patch("k-patch", "k")
line("auto_apply", "k-forged", task_id="k", file="rev.py", action="said_so_reverted", ts=LATER, model="anybody")


@holds(16, "It can take back a patch by reporting it as reverted")
def anybody_can_report_a_revert(judged: Workspace) -> None:
    assert scores(judged, "k-patch") == {"k-patch": ("rejected", ["reverted_later"])}
