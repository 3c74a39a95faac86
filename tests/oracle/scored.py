"""Contracts section 3: one category and its reasons for every evidence record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from .landing import Row, is_blank

ACCEPTED = "accepted"
PARTIAL = "partially_accepted"
REJECTED = "rejected"
REVIEW = "needs_human_review"

PARENTS = ("scrum_reviews", "observer_reviews", "audits", "contract_analyses", "auto_apply")

Score = tuple[str, list[str]]


def score(records: list[Row]) -> list[Row]:
    """source, sig_hash, category, reasons of each record, in the order of `records`."""
    parents: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record["source"] in PARENTS:
            category, _ = OWN_RULES[record["source"]](record)
            if category != REVIEW:
                parents[record["task_id"]].add(category)
    rows: list[Row] = []
    for record in records:
        if record["source"] in OWN_RULES:
            category, reasons = OWN_RULES[record["source"]](record)
        else:
            category, reasons = by_parents(parents.get(record["task_id"], set()))
        key = {"source": record["source"], "sig_hash": record["sig_hash"]}
        rows.append(key | {"category": category, "reasons": reasons})
    return rows


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
        return ACCEPTED, ["parent_accepted"]
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
    """A model settles nothing: neither one that says it is one, nor one of the two that disagree."""
    settlers = [marker.removeprefix("settled_by:") for marker in record["success_markers"]]
    by_model = any(settler.startswith(("model", "llm")) for settler in settlers) or record["failure_markers"]
    if record["verdict"] in ("a", "b") and settlers and not by_model:
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
