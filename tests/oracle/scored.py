"""Contracts section 3: one category and its reasons for every evidence record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from .evidence import SETTLES
from .landing import Row, is_blank, trim

ACCEPTED = "accepted"
PARTIAL = "partially_accepted"
REJECTED = "rejected"
REVIEW = "needs_human_review"

PARENTS = ("scrum_reviews", "observer_reviews", "audits", "contract_analyses", "auto_apply")

Score = tuple[str, list[str]]


def score(records: list[Row], settlers: Iterable[str] = ()) -> list[Row]:
    """source, sig_hash, category, reasons of each record, in the order of `records`."""
    own = {id(record): own_score(record, records, settlers) for record in records if record["source"] in OWN_RULES}
    parents: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record["source"] in PARENTS and own[id(record)][0] != REVIEW:
            parents[record["task_id"]].add(own[id(record)][0])
    rows: list[Row] = []
    for record in records:
        if record["source"] in OWN_RULES:
            category, reasons = own[id(record)]
        else:
            category, reasons = readable(record, by_parents(parents.get(record["task_id"], set())))
        key = {"source": record["source"], "sig_hash": record["sig_hash"]}
        rows.append(key | {"category": category, "reasons": reasons})
    return rows


def own_score(record: Row, records: list[Row], settlers: Iterable[str]) -> Score:
    """The score of a record that no other stream has a say in."""
    found = OWN_RULES[record["source"]](record)
    if record["source"] == "auto_apply" and found[0] == ACCEPTED and any(reverts(other, record) for other in records):
        found = REJECTED, ["reverted_later"]
    if record["source"] == "audit_discrepancies" and found[1] == ["settled"] and not may_settle(record, settlers):
        found = REVIEW, ["unsettled"]
    return readable(record, found)


def readable(record: Row, found: Score) -> Score:
    """What can't be read is not nothing: only a rejection stands without it."""
    return (REVIEW, ["unreadable_verdict"]) if record["unreadable_fields"] and found[0] != REJECTED else found


def reverts(other: Row, record: Row) -> bool:
    """Whether a record says that the patch of another one was taken back later."""
    return (
        other["source"] == "auto_apply"
        and (other["verdict"] or "").endswith("_reverted")
        and not is_blank(other["subject"])
        and (other["task_id"], other["subject"]) == (record["task_id"], record["subject"])
        and other["occurred_at"] > record["occurred_at"]
    )


def may_settle(record: Row, settlers: Iterable[str]) -> bool:
    """Whether who settled a discrepancy is a person, a test, a tool, or on the list."""
    (settler,) = (marker.removeprefix("settled_by:") for marker in record["success_markers"])
    return settler.startswith(SETTLES) or settler in {trim(name).lower() for name in settlers}


def scrum_reviews(record: Row) -> Score:
    """The category and reasons of one record (so for all functions below)."""
    attempts = record["attempts"]
    if record["verdict"] == "rejected":
        return REJECTED, ["review_not_accepted"]
    if attempts == 1:
        return ACCEPTED, ["accepted_on_attempt_1"]
    if attempts in (2, 3):
        return PARTIAL, [f"accepted_on_attempt_{attempts}"]
    if attempts is not None and attempts >= 4:
        return PARTIAL, [f"accepted_on_attempt_{attempts}", "high_cost"]
    return REVIEW, ["no_verdict"]


def observer_reviews(record: Row) -> Score:
    decided = {
        "accept": (ACCEPTED, ["observer_accept"]),
        "reject": (REJECTED, ["observer_reject"]),
        "cycle": (PARTIAL, ["observer_cycle"]),
    }
    return decided.get(record["verdict"], (REVIEW, ["no_verdict"]))


def audits(record: Row) -> Score:
    severity = record["severity"]
    if severity in ("info", "low"):
        return ACCEPTED, [f"severity_{severity}"]
    if severity == "medium":
        return PARTIAL, ["severity_medium"]
    if severity in ("high", "critical"):
        return REJECTED, [f"severity_{severity}"]
    legacy = {
        "pass": (ACCEPTED, ["legacy_pass"]),
        "warn": (PARTIAL, ["legacy_warn"]),
        "fail": (REJECTED, ["legacy_fail"]),
    }
    return legacy.get(record["verdict"], (REVIEW, ["no_verdict"]))


def contract_analyses(record: Row) -> Score:
    if record["failure_markers"]:
        return REJECTED, [f"failure_marker:{marker}" for marker in record["failure_markers"]]
    return observer_reviews(record)


def auto_apply(record: Row) -> Score:
    action = record["verdict"]
    if action == "committed":
        return ACCEPTED, ["committed"]
    if action is not None and action.endswith("_reverted"):
        return REJECTED, [action]
    return REVIEW, ["no_verdict"]


def outcomes(record: Row) -> Score:
    if record["gap_signals"] is not None and record["gap_signals"] > 0:
        return PARTIAL, ["gap_signals"]
    if record["events_ok"] is True:
        return ACCEPTED, ["all_events_ok"]
    return REVIEW, ["events_not_ok"]


def mode_experiments(record: Row) -> Score:
    grounded = record["grounded_fraction"]
    if is_blank(record["content"]):
        return REJECTED, ["empty_text"]
    if record["latency_ms"] is not None and record["latency_ms"] > 120_000:
        return PARTIAL, ["slow"]
    if grounded is None:
        return REVIEW, ["no_verdict"]
    if grounded >= 0.8:
        return ACCEPTED, ["grounded"]
    if grounded >= 0.5:
        return PARTIAL, ["partly_grounded"]
    return REJECTED, ["ungrounded"]


def by_parents(categories: set[str]) -> Score:
    """The score of a derived record, from the categories of its task's parents (none needs a human)."""
    if not categories:
        return REVIEW, ["no_parent_verdict"]
    if categories == {ACCEPTED}:
        return PARTIAL, ["parent_accepted"]
    if REJECTED in categories and ACCEPTED not in categories:
        return REJECTED, ["parent_rejected"]
    return PARTIAL, ["parents_mixed"]


def agent_checkpoints(record: Row) -> Score:
    decided = {
        "merged_main": (ACCEPTED, ["merged"]),
        "branch_only": (PARTIAL, ["branch_only"]),
        "no_commit": (REVIEW, ["no_commit"]),
    }
    return decided.get(record["verdict"], (REVIEW, ["no_verdict"]))


def code_reviews(record: Row) -> Score:
    decided = {
        "true_positive": (ACCEPTED, ["judged_true_positive"]),
        "false_positive": (REJECTED, ["judged_false_positive"]),
    }
    return decided.get(record["verdict"], (REVIEW, ["no_verdict"]))


def optimization_runs(record: Row) -> Score:
    if record["verdict"] == "success" and record["events_ok"] is True:
        return ACCEPTED, ["improved"]
    if record["verdict"] in ("success", "no_patch"):
        return REJECTED, ["not_improved"]
    return REVIEW, ["not_evaluated"]


def audit_discrepancies(record: Row) -> Score:
    """See `may_settle` too; never one of the two that disagree."""
    if record["verdict"] in ("a", "b") and record["success_markers"] and not record["failure_markers"]:
        return ACCEPTED, ["settled"]
    return REVIEW, ["unsettled"]


def model_trust(record: Row) -> Score:
    if record["verdict"] in ("down", "thumbs_down", "-1", "false"):
        return REJECTED, ["thumb_down"]
    if record["events_ok"] is False:
        return REJECTED, ["call_failed"]
    if record["verdict"] in ("up", "thumbs_up", "1", "+1", "true"):
        return ACCEPTED, ["thumb_up"]
    return REVIEW, ["no_verdict"]


OWN_RULES: dict[str, Callable[[Row], Score]] = {
    "scrum_reviews": scrum_reviews,
    "observer_reviews": observer_reviews,
    "audits": audits,
    "contract_analyses": contract_analyses,
    "auto_apply": auto_apply,
    "outcomes": outcomes,
    "mode_experiments": mode_experiments,
    "agent_checkpoints": agent_checkpoints,
    "code_reviews": code_reviews,
    "optimization_runs": optimization_runs,
    "audit_discrepancies": audit_discrepancies,
    "model_trust": model_trust,
}
